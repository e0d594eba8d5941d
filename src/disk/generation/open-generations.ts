import { type CrashMarks, generationSlot } from '../database/crash-marks.ts';
import type { IndexDatabase } from '../database/index-database.ts';
import { type LevelSizes, openLevel, reasonOf, troubleOf } from '../database/level.ts';
import { directoryBytes, dropDirectory, finishDropping, openOrMend } from '../database/recovery.ts';
import type { DiskSettings } from '../options.ts';
import {
  decodeGenerationState,
  type GenerationState,
  generationRange,
  numberOfGenerationKey,
  reverseRange,
} from '../record/index-records.ts';
import type { TableFiles } from '../table/table-files.ts';
import { Generation, generationNumbersIn, generationPath } from './generation.ts';

const openAtOnce = 4;
const empty: GenerationState = { bytes: 0, sequence: 0, pieces: 0 };

export interface GenerationsOptions {
  readonly directory: string;
  readonly settings: DiskSettings;
  readonly marks: CrashMarks;
  readonly files: TableFiles;
}

export interface FoundGenerations {
  /** Oldest first. */
  readonly sealed: readonly Generation[];
  /** The one to fill. */
  readonly active: Generation;
  /** Generations that the index knows of, but that are no more. */
  readonly missing: readonly number[];
}

type States = ReadonlyMap<number, GenerationState | undefined>;

/**
 * Opens the generations of a store. The newest one is filled on; what the index does not know is deleted.
 * @throws LevelDB's error when the index or the system does not let it; nothing is left open then.
 */
export async function openGenerations(options: GenerationsOptions, index: IndexDatabase): Promise<FoundGenerations> {
  await finishDropping(options.directory);
  const states = await statesIn(index);
  const numbers = await generationNumbersIn(options.directory);
  const last = Math.max(0, ...numbers, ...states.keys());
  const opened: Generation[] = [];
  try {
    for (let i = 0; i < numbers.length; i += openAtOnce) {
      const few = numbers.slice(i, i + openAtOnce).map((number) => openKnown(number, options, { index, states }));
      const outcomes = await Promise.allSettled(few);
      for (const each of outcomes) if (each.status === 'fulfilled' && each.value) opened.push(each.value);
      for (const each of outcomes) if (each.status === 'rejected') throw each.reason;
    }
    const newest = opened.at(-1);
    const isFit = newest?.number === last && (await isFillable(newest));
    const active = newest !== undefined && isFit ? newest : await createGeneration(last + 1, options);
    const known = new Set([...opened, active].map(({ number }) => number));
    return {
      sealed: opened.filter((generation) => generation !== active),
      active,
      missing: [...states.keys()].filter((number) => !known.has(number)),
    };
  } catch (error) {
    await Promise.all(opened.map((generation) => generation.close()));
    throw error;
  }
}

/** Opens an existing generation; undefined when it was damaged and set aside. */
export async function openGeneration(
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
    const level = await openOrMend(directory, {
      sizes: levelSizes(settings),
      suspect,
      repair: false,
      log: settings.log,
    });
    if (suspect) marks.clear(slot);
    return level && new Generation({ number, directory, level, marks, state, files: options.files });
  } finally {
    marks.leave(slot);
  }
}

export async function createGeneration(number: number, options: GenerationsOptions): Promise<Generation> {
  const { marks, files } = options;
  const directory = generationPath(options.directory, number);
  try {
    const level = await openLevel(directory, { ...levelSizes(options.settings), create: true });
    return new Generation({ number, directory, level, marks, state: empty, files });
  } catch (error) {
    options.settings.log.warn({ directory, reason: reasonOf(error) }, 'a generation cannot be started');
    await dropDirectory(directory);
    throw error;
  }
}

async function statesIn(index: IndexDatabase): Promise<States> {
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
  known: { index: IndexDatabase; states: States },
): Promise<Generation | undefined> {
  const directory = generationPath(options.directory, number);
  const state = known.states.get(number);
  if (state === undefined && !(await known.index.hasAny(reverseRange(number)))) {
    options.settings.log.info({ directory }, 'the index does not know this generation; it is deleted');
    await dropDirectory(directory);
    return undefined;
  }
  const guess = { ...empty, bytes: await directoryBytes(directory) };
  const generation = await openGeneration(number, options, state ?? guess);
  if (state === undefined && generation !== undefined) await isFillable(generation);
  return generation;
}

/** Whether more can be written to it: its last sequence number can be told. */
async function isFillable(generation: Generation): Promise<boolean> {
  try {
    await generation.skipWritten();
    return true;
  } catch (error) {
    if (troubleOf(error) === 'corrupt') return false;
    throw error;
  }
}

function levelSizes(settings: DiskSettings): LevelSizes {
  // Pieces are read from mapped tables, past the block cache; a file for each flush of the write buffer.
  return { writeBufferBytes: settings.writeBufferBytes, cacheBytes: 64 * 1024, fileBytes: 16 * 1024 * 1024 };
}
