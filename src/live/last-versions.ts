import type { PlaylistVersion } from './playlist-version.ts';

/** The last version of a playlist that is not followed any more. */
export interface LastVersion {
  readonly version: PlaylistVersion;
  /** When its newest media were first seen. */
  readonly newestMs: number;
}

const keptMax = 256;

/** So that viewers who come back find numbers that went on, whatever the origin did meanwhile. By key; the oldest go first. */
export class LastVersions {
  readonly #kept = new Map<string, LastVersion>();

  keep(key: string, last: LastVersion): void {
    this.#kept.delete(key);
    this.#kept.set(key, last);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > keptMax && oldest !== undefined) this.#kept.delete(oldest);
  }

  take(key: string): LastVersion | undefined {
    const last = this.#kept.get(key);
    this.#kept.delete(key);
    return last;
  }
}
