import type { Entry } from '../../cache/types.ts';

/** Saves that wait; beyond, the entry is deleted instead, which is always right. */
const savesMax = 4096;
/** Deletions that wait; beyond, nothing that is stored is believed until all of it is deleted. */
const deletionsMax = 262_144;

/** Entries on their way to the index, the last word for each key. `null` deletes. */
export class EntryQueue {
  readonly #pending = new Map<string, Entry | null>();
  #saves = 0;
  #distrusted = false;

  get length(): number {
    return this.#pending.size;
  }

  /** So many deletions were lost that whatever is stored may be one of them. */
  get distrusted(): boolean {
    return this.#distrusted;
  }

  /** What is to be stored for the key; undefined when nothing is on its way. */
  get(key: string): Entry | null | undefined {
    return this.#pending.get(key);
  }

  save(entry: Entry): void {
    if (this.#saves >= savesMax && !this.#isSave(entry.key)) this.delete(entry.key);
    else this.#set(entry.key, entry);
  }

  delete(key: string): void {
    if (this.#pending.size < deletionsMax || this.#pending.has(key)) {
      this.#set(key, null);
      return;
    }
    this.#distrusted = true;
    this.#pending.clear();
    this.#saves = 0;
  }

  /** The first ones in line. They stay here until `done`. */
  peek(count: number): [string, Entry | null][] {
    return this.#pending.entries().take(count).toArray();
  }

  /** That word on that key is stored; a later one stays. */
  done(key: string, entry: Entry | null): void {
    if (this.#pending.get(key) !== entry) return;
    this.#pending.delete(key);
    if (entry !== null) this.#saves--;
  }

  snapshot(): ReadonlyMap<string, Entry | null> {
    return new Map(this.#pending);
  }

  /** All that was stored is deleted. */
  trust(): void {
    this.#distrusted = false;
  }

  #isSave(key: string): boolean {
    return (this.#pending.get(key) ?? null) !== null;
  }

  #set(key: string, entry: Entry | null): void {
    this.#saves += Number(entry !== null) - Number(this.#isSave(key));
    this.#pending.set(key, entry);
  }
}
