import { statfs } from 'node:fs/promises';
import { type CrashMarks, generationSlot } from './crash-marks.ts';
import { Generation, generationNumbersIn, generationPath } from './generation.ts';
import type { IndexDatabase } from './index-database.ts';
import {
  decodeGenerationState,
  type GenerationState,
  generationRange,
  numberOfGenerationKey,
  reverseRange,
} from './index-records.ts';
import { type LevelSizes, openLevel, reasonOf } from './level.ts';
import type { DiskSettings } from './options.ts';
import { directoryBytes, openOrMend, removeTree } from './recovery.ts';

const openAtOnce = 4;
const empty: GenerationState = { bytes: 0, sequence: 0, pieces: 0 };

export interface GenerationsOptions {
  readonly directory: string;
  readonly settings: DiskSettings;
  readonly marks: CrashMarks;
}

/** The generations of a store: one that is being filled, and the sealed ones before it. */
export class Generations {
  readonly #options: GenerationsOptions;
  readonly #byNumber = new Map<number, Generation>();
  #active: Generation;
  #nextNumber: number;
  /** Generations that the index knows of, but that are no more. */
  readonly missing = new Set<number>();

  private constructor(options: GenerationsOptions, generations: readonly Generation[], active: Generation) {
    this.#options = options;
    for (const generation of generations) this.#byNumber.set(generation.number, generation);
    this.#byNumber.set(active.number, active);
    this.#active = active;
    this.#nextNumber = active.number + 1;
  }

  /** Opens what is there. The newest one is filled on; what the index does not know is deleted. */
  static async open(options: GenerationsOptions, index: IndexDatabase): Promise<Generations> {
    const numbers = await generationNumbersIn(options.directory);
    const states = await statesIn(index);
    const opened: Generation[] = [];
    for (let i = 0; i < numbers.length; i += openAtOnce) {
      const few = numbers.slice(i, i + openAtOnce);
      const found = await Promise.all(few.map((number) => openKnown(number, options, { index, states })));
      opened.push(...found.filter((generation) => generation !== undefined));
    }
    const newest = opened.at(-1);
    await newest?.skipWritten();
    const last = Math.max(0, ...numbers, ...states.keys());
    const active = newest?.number === last ? newest : await createGeneration(last + 1, options);
    const generations = new Generations(options, opened, active);
    for (const number of states.keys()) if (!generations.#byNumber.has(number)) generations.missing.add(number);
    return generations;
  }

  get active(): Generation {
    return this.#active;
  }

  get count(): number {
    return this.#byNumber.size;
  }

  get bytes(): number {
    let bytes = 0;
    for (const generation of this.#byNumber.values()) bytes += generation.bytes;
    return bytes;
  }

  get pieces(): number {
    let pieces = 0;
    for (const generation of this.#byNumber.values()) pieces += generation.pieces;
    return pieces;
  }

  get(number: number): Generation | undefined {
    return this.#byNumber.get(number);
  }

  /** The one to leave next. */
  get oldestSealed(): Generation | undefined {
    for (const generation of this.#byNumber.values()) if (generation !== this.#active) return generation;
    return undefined;
  }

  /** A sealed one of whose pieces none is needed. */
  get emptySealed(): Generation | undefined {
    for (const generation of this.#byNumber.values()) {
      if (generation !== this.#active && generation.pieces <= 0) return generation;
    }
    return undefined;
  }

  /** Sealed ones whose last pieces a failure kept from their tables. */
  get unflushed(): Generation[] {
    return [...this.#byNumber.values()].filter((each) => each !== this.#active && !each.isFlushed);
  }

  /** Starts a new generation. The one before stays readable and is returned, to be sealed. */
  async rollOver(): Promise<Generation> {
    const before = this.#active;
    const created = await createGeneration(this.#nextNumber, this.#options);
    this.#nextNumber++;
    this.#byNumber.set(created.number, created);
    this.#active = created;
    return before;
  }

  /** From here on its pieces are gone; then it is closed, behind its readers, and deleted. */
  async destroy(generation: Generation): Promise<void> {
    this.#byNumber.delete(generation.number);
    await generation.destroy(this.#options.settings.closeTimeoutMs);
  }

  /** A generation that takes no writes any more is opened anew, which flushes it; if it cannot be, it is dropped. */
  async reopen(generation: Generation): Promise<void> {
    const { settings } = this.#options;
    this.#byNumber.delete(generation.number);
    await generation.close(settings.closeTimeoutMs);
    const state = { bytes: generation.bytes, sequence: generation.sequence, pieces: generation.pieces };
    const reopened = await openGeneration(generation.number, this.#options, state).catch(() => undefined);
    if (reopened === undefined) {
      this.missing.add(generation.number);
      await removeTree(generation.directory);
      return;
    }
    this.#byNumber.set(reopened.number, reopened);
    this.#sort();
  }

  /** Bytes that the file system has left; infinite where it does not say. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize, blocks } = await statfs(this.#options.directory);
    return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
  }

  async close(timeoutMs: number): Promise<void> {
    await Promise.all([...this.#byNumber.values()].map((generation) => generation.close(timeoutMs)));
  }

  #sort(): void {
    const sorted = [...this.#byNumber].sort(([a], [b]) => a - b);
    this.#byNumber.clear();
    for (const [number, generation] of sorted) this.#byNumber.set(number, generation);
  }
}

async function statesIn(index: IndexDatabase): Promise<Map<number, GenerationState | undefined>> {
  const states = new Map<number, GenerationState | undefined>();
  for await (const records of index.scan(generationRange)) {
    for (const [key, value] of records) {
      const number = numberOfGenerationKey(key);
      if (number !== undefined && number > 0) states.set(number, decodeGenerationState(value));
    }
  }
  return states;
}

async function openKnown(
  number: number,
  options: GenerationsOptions,
  known: { index: IndexDatabase; states: ReadonlyMap<number, GenerationState | undefined> },
): Promise<Generation | undefined> {
  const directory = generationPath(options.directory, number);
  const state = known.states.get(number);
  if (state === undefined && !(await known.index.hasAny(reverseRange(number)))) {
    options.settings.log.warn({ directory }, 'the index does not know this generation; it is deleted');
    await removeTree(directory);
    return undefined;
  }
  const generation = await openGeneration(
    number,
    options,
    state ?? { ...empty, bytes: await directoryBytes(directory) },
  );
  if (state === undefined) await generation?.skipWritten();
  return generation;
}

async function openGeneration(
  number: number,
  options: GenerationsOptions,
  state: GenerationState,
): Promise<Generation | undefined> {
  const { settings, marks } = options;
  const slot = generationSlot(number);
  const directory = generationPath(options.directory, number);
  const suspect = marks.isSuspect(slot);
  marks.enter(slot);
  try {
    const { probeTimeoutMs, log } = settings;
    const level = await openOrMend(directory, {
      sizes: levelSizes(settings),
      suspect,
      repair: false,
      probeTimeoutMs,
      log,
    });
    if (suspect) marks.clear(slot);
    return level && new Generation({ number, directory, level, marks, state });
  } finally {
    marks.leave(slot);
  }
}

async function createGeneration(number: number, options: GenerationsOptions): Promise<Generation> {
  const directory = generationPath(options.directory, number);
  try {
    const level = await openLevel(directory, { ...levelSizes(options.settings), create: true });
    return new Generation({ number, directory, level, marks: options.marks, state: empty });
  } catch (error) {
    options.settings.log.warn({ directory, reason: reasonOf(error) }, 'a generation cannot be started');
    await removeTree(directory);
    throw error;
  }
}

function levelSizes(settings: DiskSettings): LevelSizes {
  // Pieces are read from mapped tables, past the block cache; a file for each flush of the write buffer.
  return { writeBufferBytes: settings.writeBufferBytes, cacheBytes: 64 * 1024, fileBytes: 16 * 1024 * 1024 };
}
