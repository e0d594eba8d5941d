import type { Answer, CacheRequest, MapPolicy } from '../../cache/types.ts';
import { discard } from '../../discard.ts';
import { Fields } from '../../fields.ts';
import type { Clock } from '../clock.ts';
import type { LiveMap } from '../mapped-urls.ts';

interface PinsOptions {
  readonly maps: () => readonly LiveMap[];
  readonly policies: () => readonly MapPolicy[];
  readonly clock: Clock;
  /** Answers as a viewer is answered. */
  readonly answer: (request: CacheRequest) => Promise<Answer>;
  /** Targets of the media playlists that a multivariant one names. */
  readonly renditions: (request: CacheRequest) => readonly string[];
}

/** A playlist is followed for longer than this after somebody asked. */
const everyMs = 5_000;
const timeoutMs = 20_000;

/** Asks for the playlists of the configuration now and then, as a viewer does who never leaves. */
export class Pins {
  readonly #options: PinsOptions;
  /** Maps and targets that are being asked for. */
  readonly #asking = new Set<string>();
  #cancel: (() => void) | undefined;

  constructor(options: PinsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#askAll();
    this.#cancel = this.#options.clock.after(everyMs, () => this.start());
  }

  close(): void {
    this.#cancel?.();
  }

  #askAll(): void {
    const { maps, policies } = this.#options;
    for (const { name, live } of maps()) {
      const policy = policies().find((each) => each.name === name);
      if (policy !== undefined) for (const target of live.follow) void this.#ask(target, policy);
    }
  }

  /** One that takes longer is not asked for again meanwhile, and holds up no other. */
  async #ask(target: string, policy: MapPolicy): Promise<void> {
    const name = `${policy.name} ${target}`;
    if (this.#asking.has(name)) return;
    this.#asking.add(name);
    const { answer, renditions } = this.#options;
    const request = requestFor(target, policy);
    await settle(answer(request));
    await Promise.all(renditions(request).map((each) => settle(answer(requestFor(each, policy)))));
    this.#asking.delete(name);
  }
}

function requestFor(target: string, policy: MapPolicy): CacheRequest {
  const signal = AbortSignal.timeout(timeoutMs);
  return { method: 'GET', target, scheme: 'http', authority: 'localhost', fields: Fields.empty, policy, signal };
}

/** Nobody reads it: what the origin gave for this request alone is let go of. */
async function settle(answering: Promise<Answer>): Promise<void> {
  try {
    const answer = await answering;
    if (answer.kind === 'passed') discard(answer);
  } catch {
    // It is asked for again.
  }
}
