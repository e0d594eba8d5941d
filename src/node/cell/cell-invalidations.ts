import type { VideoCache } from '../../cache/cache.ts';
import type { Log } from '../../log.ts';
import { announcementBytesMax } from '../../peers/wire/announcement.ts';
import type { Voice } from './cell-purges.ts';

/** What unsafe requests changed is under this topic: `{"targets":[…]}`. */
export const invalidatedTopic = 'invalidated';

/** Viewers decide how often this happens: what else is announced must not have to wait for it. */
const sayEveryMs = 50;
const waitingMax = 1_000;

/**
 * Tells the members what an unsafe request changed (RFC 9111 section 4.4), soon and many targets at once. The viewer's
 * answer does not wait for it. Of more than a thousand targets that wait the rest is not told.
 */
export class CellInvalidations {
  readonly #voice: Voice;
  readonly #log: Log;
  readonly #waiting = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #untold = 0;

  constructor(voice: Voice, log: Log) {
    this.#voice = voice;
    this.#log = log;
  }

  tell(targets: readonly string[]): void {
    for (const target of targets) {
      if (this.#waiting.size < waitingMax && bytesOf(target) <= targetsBytesMax) this.#waiting.add(target);
      else this.#untold++;
    }
    if (this.#timer === undefined) this.#say();
  }

  #say(): void {
    this.#timer = undefined;
    if (this.#waiting.size === 0) return;
    const targets = firstOf(this.#waiting);
    if (this.#voice.announce(invalidatedTopic, Buffer.from(JSON.stringify({ targets }))))
      for (const target of targets) this.#waiting.delete(target);
    if (this.#untold > 0)
      this.#log.warn({ untold: this.#untold }, 'members are not told of all that unsafe requests changed');
    this.#untold = 0;
    this.#timer = setTimeout(() => this.#say(), sayEveryMs).unref();
  }
}

/** Has validated what a member told of. Messages that say something else are passed over. */
export async function invalidateAsTold(
  message: Buffer,
  { cache, peer, log }: { cache: Pick<VideoCache, 'invalidate'>; peer: string; log: Log },
): Promise<void> {
  const targets = parseTargets(message.toString());
  try {
    await cache.invalidate(targets);
    log.debug({ targets: targets.length, peer }, 'to be validated, as a member told');
  } catch (error) {
    log.warn({ peer, reason: String(error) }, 'what a member told to be changed could not be marked');
  }
}

const targetsBytesMax = announcementBytesMax - '{"targets":[]}'.length;

/** With the comma behind it. */
function bytesOf(target: string): number {
  return Buffer.byteLength(JSON.stringify(target)) + 1;
}

/** As many as one announcement holds. */
function firstOf(waiting: ReadonlySet<string>): string[] {
  const targets: string[] = [];
  let bytes = 0;
  for (const target of waiting) {
    bytes += bytesOf(target);
    if (bytes > targetsBytesMax) break;
    targets.push(target);
  }
  return targets;
}

function parseTargets(text: string): string[] {
  try {
    const { targets } = JSON.parse(text) as { targets?: unknown };
    return Array.isArray(targets) ? targets.filter((each) => typeof each === 'string' && each.startsWith('/')) : [];
  } catch {
    return [];
  }
}
