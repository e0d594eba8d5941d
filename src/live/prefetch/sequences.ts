import type { Announced } from '../manifest.ts';

/** Something to be asked for at the edge: a target, or a part of it. */
export interface MediaReference {
  readonly key: string;
  readonly target: string;
  readonly range: Announced['range'];
  /** Epoch milliseconds before which the origin does not have it. */
  readonly availableAtMs?: number | undefined;
}

interface SequencesOptions {
  /** The cache key of a target. */
  readonly keyOf: (target: string) => string;
  /** The target at the edge of an absolute URL; undefined where no map has it. */
  readonly toEdge: (url: string) => string | undefined;
}

/** Where a viewer is in a rendition. */
export interface Place {
  /** Manifest and rendition. */
  readonly name: string;
  readonly manifest: string;
  /** How many come after it. */
  readonly left: number;
  next(count: number): MediaReference[];
}

interface Entry extends MediaReference {
  readonly sequence: Sequence;
  readonly at: number;
}

interface Sequence {
  /** Manifest and rendition: what a viewer stays with. */
  readonly name: string;
  readonly manifest: string;
  readonly entries: Entry[];
}

/** Segments of all manifests together; each takes some 300 bytes. */
const entriesMax = 50_000;
const perManifestMax = 10_000;

/** Which segment follows which, by the manifests that viewers play. The manifests that were used longest ago go first. */
export class Sequences {
  readonly #byKey = new Map<string, Entry>();
  readonly #byManifest = new Map<string, readonly Sequence[]>();

  get size(): number {
    return this.#byKey.size;
  }

  /** Takes what a manifest announces in place of what it announced before. */
  set(manifest: string, announced: readonly Announced[], { keyOf, toEdge }: SequencesOptions): void {
    this.delete(manifest);
    const sequences = new Map<string, Sequence>();
    let left = perManifestMax;
    for (const { role, url, range, rendition = '', availableAtMs } of announced) {
      const target = role === 'segment' && left > 0 ? toEdge(url) : undefined;
      if (target === undefined) continue;
      left -= 1;
      const named = { name: `${manifest} ${rendition}`, manifest };
      const sequence = sequences.getOrInsertComputed(rendition, () => ({ ...named, entries: [] }));
      const key = keyOf(target);
      const entry = {
        key: keyWithRange(key, range?.first),
        target,
        range,
        availableAtMs,
        sequence,
        at: sequence.entries.length,
      };
      sequence.entries.push(entry);
      this.#byKey.set(entry.key, entry);
    }
    this.#byManifest.set(manifest, [...sequences.values()]);
    this.#shrink();
  }

  delete(manifest: string): void {
    for (const { entries } of this.#byManifest.get(manifest) ?? [])
      for (const entry of entries) if (this.#byKey.get(entry.key) === entry) this.#byKey.delete(entry.key);
    this.#byManifest.delete(manifest);
  }

  /** What comes after that one in the same rendition; undefined where no manifest names it. */
  after(key: string, first: number | undefined): Place | undefined {
    const entry = this.#byKey.get(keyWithRange(key, first)) ?? this.#byKey.get(key);
    if (entry === undefined) return undefined;
    const { sequence, at } = entry;
    const next = (count: number): MediaReference[] => sequence.entries.slice(at + 1, at + 1 + count);
    const { name, manifest } = sequence;
    return { name, manifest, left: sequence.entries.length - at - 1, next };
  }

  #shrink(): void {
    for (const manifest of this.#byManifest.keys()) {
      if (this.#byKey.size <= entriesMax) return;
      this.delete(manifest);
    }
  }
}

/** One file may hold many segments. */
export function keyWithRange(key: string, first: number | undefined): string {
  return first === undefined ? key : `${key} @${first}`;
}
