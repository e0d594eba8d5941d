import type { VideoCache } from '../../cache/cache.ts';
import type { Log } from '../../log.ts';
import { announcementsOf, fits } from './announced-lists.ts';
import type { Voice } from './cell-purges.ts';

/** What unsafe requests changed is under this topic: `{"targets":[…]}`. */
export const invalidatedTopic = 'invalidated';
const around = { start: '{"targets":[', end: ']}' };

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
  /** Targets as JSON. */
  readonly #waiting = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #untold = 0;

  constructor(voice: Voice, log: Log) {
    this.#voice = voice;
    this.#log = log;
  }

  tell(targets: readonly string[]): void {
    for (const target of targets) {
      const item = JSON.stringify(target);
      if (this.#waiting.size < waitingMax && fits(around, item)) this.#waiting.add(item);
      else this.#untold++;
    }
    if (this.#timer === undefined) this.#say();
  }

  #say(): void {
    this.#timer = undefined;
    const [first] = announcementsOf(around, this.#waiting);
    if (first === undefined) return;
    if (this.#voice.announce(invalidatedTopic, first.message))
      for (const item of first.items) this.#waiting.delete(item);
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

function parseTargets(text: string): string[] {
  try {
    const { targets } = JSON.parse(text) as { targets?: unknown };
    return Array.isArray(targets) ? targets.filter((each) => typeof each === 'string' && each.startsWith('/')) : [];
  } catch {
    return [];
  }
}
