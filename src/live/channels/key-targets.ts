import type { Manifest } from '../manifest.ts';

/** More than any channel rotates through while it is in a window. */
const targetsMax = 4_096;

/** Targets of keys: what playlists name as such is passed through, and kept nowhere. */
export class KeyTargets {
  readonly #targets = new Set<string>();

  add({ announced }: Manifest, toTarget: (url: string) => string | undefined): void {
    for (const { role, url } of announced) {
      const target = role === 'key' ? toTarget(url) : undefined;
      if (target === undefined || this.#targets.has(target)) continue;
      const [oldest] = this.#targets;
      if (this.#targets.size >= targetsMax && oldest !== undefined) this.#targets.delete(oldest);
      this.#targets.add(target);
    }
  }

  has(target: string): boolean {
    return this.#targets.size > 0 && this.#targets.has(target);
  }
}
