import type { Answer, CacheRequest, RepresentationAnswer } from '../../cache/types.ts';
import type { PlaylistVersion } from '../follow/playlist-version.ts';
import type { Manifest } from '../manifest.ts';
import { acceptedCoding } from '../message/coding.ts';
import { wholeRequest } from '../message/mirrored-request.ts';
import type { PlaylistRequest } from '../message/playlist-request.ts';
import { receive } from '../message/receive.ts';

interface SettledOptions {
  readonly nowMs: () => number;
  /** Reads another version of it; undefined when it is no settled playlist any more. */
  readonly read: (bytes: { bytes: Buffer; answer: RepresentationAnswer }) => PlaylistVersion | undefined;
}

/**
 * A playlist that does not change, or of which nobody can tell when it does: multivariant, VOD. The inner cache decides
 * how long it is good; here it is only rewritten and compressed, once for each version.
 */
export class SettledPlaylist {
  readonly kind = 'settled';
  readonly #options: SettledOptions;
  #version: PlaylistVersion;
  #identity: string;

  constructor(version: PlaylistVersion, answer: RepresentationAnswer, options: SettledOptions) {
    this.#options = options;
    this.#version = version;
    this.#identity = identityOf(answer);
  }

  get manifest(): Manifest {
    return this.#version.manifest;
  }

  request({ request, target }: PlaylistRequest): CacheRequest {
    return wholeRequest(request, target);
  }

  /** From what the inner cache has at hand; undefined when that is nothing, or has changed. */
  peek(asked: PlaylistRequest, answer: Answer | undefined): Answer | undefined {
    if (answer?.kind !== 'representation' || answer.status !== 200) return undefined;
    return identityOf(answer) === this.#identity ? this.#answer(asked, answer) : undefined;
  }

  /** From what the inner cache answered. What is no such playlist any more is passed on. */
  async answer(asked: PlaylistRequest, answer: Answer): Promise<Answer> {
    if (answer.kind !== 'representation' || answer.status !== 200) return answer;
    const identity = identityOf(answer);
    if (identity !== this.#identity) {
      const received = await receive(answer, { signal: asked.request.signal, nowMs: this.#options.nowMs });
      const version = received && this.#options.read({ bytes: received.bytes, answer });
      if (version === undefined) return answer;
      this.#version = version;
      this.#identity = identity;
    }
    return this.#answer(asked, answer);
  }

  #answer({ request }: PlaylistRequest, answer: RepresentationAnswer): Answer {
    const coding = acceptedCoding(request.fields.get('accept-encoding'));
    if (this.#version.isOriginal(coding)) return answer;
    const { received } = this.#version;
    const nowMs = this.#options.nowMs();
    if (received.fields !== answer.fields) this.#version.freshen({ ...received, fields: answer.fields, atMs: nowMs });
    return { ...this.#version.answer({ coding, delta: false }, nowMs), cacheStatus: answer.cacheStatus };
  }
}

/** Equal as long as the bytes are, and then some: what the origin says of a version of its own. */
function identityOf({ fields, content }: RepresentationAnswer): string {
  const about = ['etag', 'last-modified', 'date'].map((name) => fields.get(name));
  return JSON.stringify([...about, content.completeLength]);
}
