import { tagsOf } from '../../semantics/tags.ts';
import { originTarget } from '../key.ts';
import type { Entry, EntryStore, KeySelection, StoredResponse, Tier } from '../types.ts';
import { Representation } from './representation.ts';

/** Stored responses of one key; more than this many variants and the oldest goes. */
const variantsMax = 16;

interface EntriesOptions {
  readonly tiers: readonly Tier[];
  /** Where entries outlive a restart; undefined when the disk tier is off. */
  readonly store: EntryStore | undefined;
  /** Entries kept in memory. */
  readonly entriesMax: number;
  /** Told of each key whose stored responses are other ones now, or have other metadata. */
  readonly onChanged?: ((key: string) => void) | undefined;
}

/** The variants of one key, and whether they were asked for since `#trim` came by. */
interface Live {
  readonly variants: readonly Representation[];
  used: boolean;
}

/** What the store has of a key, on its way to all who asked for it. */
interface Loading {
  readonly entry: Promise<Entry | undefined>;
  /** It was deleted since: nobody may bring it back. */
  deleted: boolean;
}

/** Which responses are stored, by cache key: the hot ones in memory, all of them in the store. */
export class Entries {
  readonly #options: EntriesOptions;
  /** In the order they came, or were passed over by `#trim` last. */
  readonly #live = new Map<string, Live>();
  readonly #loading = new Map<string, Loading>();
  /** Keys that the store was asked for lately and has not: until a fetch has its head, many may ask for the same. */
  readonly #absent = new Set<string>();

  constructor(options: EntriesOptions) {
    this.#options = options;
  }

  /** Variants in memory, most recent first. Undefined says nothing about the store. */
  peek(key: string): readonly Representation[] | undefined {
    const live = this.#live.get(key);
    if (live === undefined) return undefined;
    live.used = true;
    return live.variants;
  }

  /** All stored responses in memory. */
  live(): Representation[] {
    return [...this.#live.values()].flatMap(({ variants }) => variants);
  }

  /** All that is stored under the key. `target`: of a request with that key. */
  async find(key: string, target: string): Promise<readonly Representation[]> {
    const live = this.peek(key);
    if (live !== undefined) return live;
    const loading = this.#load(key);
    const entry = await loading?.entry;
    // Stored meanwhile by a request that did not wait, which is newer; or taken over by another that did.
    const now = this.#live.get(key);
    if (now !== undefined) return now.variants;
    if (loading === undefined || loading.deleted) return [];
    if (entry === undefined) return this.#notStored(key);
    return this.#takeOver(entry, target);
  }

  /** Stores a response as the newest of its key; it replaces those that `replaces` names. */
  add(added: Representation, replaces: (old: Representation) => boolean): void {
    const before = this.#live.get(added.key)?.variants ?? [];
    const kept = before.filter((each) => each !== added && !replaces(each));
    const variants = [added, ...kept].slice(0, variantsMax);
    this.#set(added.key, variants);
    for (const each of before) if (!variants.includes(each)) this.#drop(each);
  }

  /** Puts new metadata in the place of the old: freshened, invalidated, or of known length now. */
  update(representation: Representation, stored: StoredResponse): void {
    representation.stored = stored;
    this.#options.onChanged?.(representation.key);
    const variants = this.#live.get(representation.key)?.variants;
    if (variants?.includes(representation)) this.#save(representation.key, variants);
  }

  /** Forgets one stored response. Who reads it now reads on as long as its bytes are at hand. */
  remove(representation: Representation): void {
    const variants = this.#live.get(representation.key)?.variants;
    if (variants === undefined || !variants.includes(representation)) return;
    const kept = variants.filter((each) => each !== representation);
    if (kept.length > 0) this.#set(representation.key, kept);
    else this.#delete(representation.key);
    this.#drop(representation);
  }

  /** Forgets all stored responses of a key, or none where all are spared; returns how many it forgot. */
  async removeKey(key: string, isSpared: (stored: StoredResponse) => boolean): Promise<number> {
    const loading = this.#live.has(key) ? undefined : this.#load(key);
    const entry = await loading?.entry;
    const variants = this.#live.get(key)?.variants;
    const stored = variants?.map((each) => each.stored) ?? entry?.variants ?? [];
    if (stored.length > 0 && stored.every(isSpared)) return 0;
    if (loading !== undefined) loading.deleted = true;
    this.#delete(key);
    for (const each of variants ?? []) this.#drop(each);
    if (variants !== undefined) return variants.length;
    for (const { id } of stored) for (const tier of this.#options.tiers) tier.remove(id);
    return stored.length;
  }

  /** Keys of this prefix, tag, or all; in memory first, then in the store. May name a key twice. */
  async *keys(which: KeySelection, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    for (const [key, { variants }] of [...this.#live]) if (matches(which, key, variants)) yield key;
    if (this.#options.store !== undefined) yield* this.#options.store.keys(which, signal);
  }

  /** Undefined: the store does not have it. */
  #load(key: string): Loading | undefined {
    const { store } = this.#options;
    if (store === undefined || this.#absent.has(key)) return undefined;
    return this.#loading.getOrInsertComputed(key, () => ({
      entry: store.load(key, AbortSignal.timeout(loadTimeoutMs)).finally(() => this.#loading.delete(key)),
      deleted: false,
    }));
  }

  #takeOver({ key, variants: stored }: Entry, target: string): readonly Representation[] {
    const where = { key, target: originTarget(target) };
    const variants = stored.map((each) => new Representation(each, where));
    this.#live.set(key, { variants, used: false });
    this.#trim();
    return variants;
  }

  /** Nobody else writes to the store. */
  #notStored(key: string): readonly Representation[] {
    if (this.#absent.size >= absentMax) this.#absent.clear();
    this.#absent.add(key);
    return [];
  }

  #set(key: string, variants: readonly Representation[]): void {
    this.#live.delete(key);
    this.#live.set(key, { variants, used: false });
    this.#options.onChanged?.(key);
    this.#save(key, variants);
    this.#trim();
  }

  #save(key: string, variants: readonly Representation[]): void {
    this.#absent.delete(key);
    // A body whose end is not known cannot be picked up again after a restart.
    const known = variants.map((each) => each.stored).filter((stored) => stored.completeLength !== undefined);
    if (known.length > 0) this.#options.store?.save({ key, variants: known });
    else this.#options.store?.delete(key);
  }

  #delete(key: string): void {
    this.#live.delete(key);
    this.#options.onChanged?.(key);
    this.#options.store?.delete(key);
  }

  #drop(representation: Representation): void {
    representation.whenIdle(() => {
      for (const tier of this.#options.tiers) tier.remove(representation.id);
    });
  }

  /** The oldest that was not asked for since it was looked at last goes: an order of use would cost every hit. */
  #trim(): void {
    for (const [key, live] of this.#live) {
      if (this.#live.size <= this.#options.entriesMax) return;
      const { variants } = live;
      if (variants.some((each) => each.busy)) continue;
      this.#live.delete(key);
      if (live.used) {
        // Goes to the end, where this loop comes to it again.
        live.used = false;
        this.#live.set(key, live);
        continue;
      }
      if (this.#options.store === undefined) for (const each of variants) this.#drop(each);
    }
  }
}

const loadTimeoutMs = 2_000;
const absentMax = 1_024;

function matches(which: KeySelection, key: string, variants: readonly Representation[]): boolean {
  if (which === 'all') return true;
  if ('prefix' in which) return key.startsWith(which.prefix);
  return variants.some(({ stored }) => tagsOf(stored.fields).has(which.tag));
}
