import type { EntryStore, RepresentationId, Tier } from '../../cache/types.ts';

interface HeldGroupsOptions {
  readonly tiers: readonly Tier[];
  /** Bytes of a group: the aligned window that one node is responsible for. */
  readonly windowBytes: number;
  /** Told once when a group comes and once when its last piece is gone. */
  readonly holds: (key: string, first: number, held: boolean) => void;
}

interface Group {
  readonly key: string;
  readonly id: RepresentationId;
  readonly first: number;
}

/** What a digest can tell apart. */
const groupsMax = 20_000;
const sweepEveryMs = 1_000;
const sweptAtOnce = 500;
/** Entries of the store that are looked at in a row when a node starts. */
const restoredAtOnce = 50;

/**
 * Which groups of pieces this node holds, for its neighbours to know. Tiers drop pieces as they like, so what is known
 * is looked at again and again, a part each second, and what is gone is taken back.
 */
export class HeldGroups {
  readonly #options: HeldGroupsOptions;
  /** In the order in which they are looked at. */
  readonly #groups = new Map<string, Group>();
  readonly #stopping = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(options: HeldGroupsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.sweep(sweptAtOnce), sweepEveryMs);
    this.#timer.unref();
  }

  /** A piece was kept. */
  kept({ key, id, first }: { key: string; id: RepresentationId; first: number }): void {
    const window = Math.floor(first / this.#options.windowBytes);
    const name = `${id} ${window}`;
    if (this.#groups.has(name)) return;
    this.#groups.set(name, { key, id, first: window * this.#options.windowBytes });
    this.#options.holds(key, first, true);
    const [oldest] = this.#groups;
    if (this.#groups.size > groupsMax && oldest !== undefined) this.#drop(...oldest);
  }

  /** Looks at that many groups, those not looked at for longest. */
  sweep(count: number): void {
    let left = Math.min(count, this.#groups.size);
    for (const [name, group] of this.#groups) {
      if (left-- <= 0) return;
      if (!this.#isHeld(group)) this.#drop(name, group);
      else {
        this.#groups.delete(name);
        this.#groups.set(name, group);
      }
    }
  }

  /** Finds out what the disk holds from before. Behind everything else; ends early when this is closed. */
  async restore(store: EntryStore): Promise<void> {
    const { signal } = this.#stopping;
    let looked = 0;
    for await (const key of store.keys('all', signal)) {
      if (this.#groups.size >= groupsMax || signal.aborted) return;
      const entry = await store.load(key, signal);
      for (const { id, completeLength = 0 } of entry?.variants ?? []) this.#restoreVariant({ key, id }, completeLength);
      if (++looked % restoredAtOnce === 0) await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stopping.abort();
  }

  #restoreVariant({ key, id }: { key: string; id: RepresentationId }, completeLength: number): void {
    for (let first = 0; first < completeLength; first += this.#options.windowBytes)
      if (this.#isHeld({ key, id, first })) this.kept({ key, id, first });
  }

  #isHeld({ id, first }: Group): boolean {
    const end = first + this.#options.windowBytes;
    return this.#options.tiers.some((tier) => (tier.find(id, first)?.first ?? end) < end);
  }

  #drop(name: string, { key, first }: Group): void {
    this.#groups.delete(name);
    this.#options.holds(key, first, false);
  }
}
