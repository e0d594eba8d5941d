import { EddyError } from '../errors.ts';

/** What the disk tier tells the log. pino's loggers are such a log. */
export interface DiskLog {
  info(about: object, message: string): void;
  warn(about: object, message: string): void;
  error(about: object, message: string): void;
}

export type DiskState = 'ok' | 'full' | 'failed';

export interface DiskOptions {
  /** Made when it does not exist. One process at a time. Only names of the disk tier in it are touched. */
  readonly directory: string;
  /** Byte budget of everything in the directory, at least 4 MiB. Held at all times. */
  readonly bytesMax: number;
  readonly log: DiskLog;
  /** Bytes of pieces that had to leave. */
  readonly onEvicted?: (bytes: number) => void;
  readonly onHealth?: (state: DiskState, reason: string | undefined) => void;
  /** Bytes after which a generation is closed. Default: a sixteenth of the budget, within bounds. */
  readonly generationBytes?: number;
  /** Reads since it was written that earn a piece a second chance when its generation leaves. Default 1; 0: all. */
  readonly reappendHits?: number;
  /** Pieces whose places are known in memory, 32 bytes each. Default 1,000,000. */
  readonly openPiecesMax?: number;
  /** Bytes that wait to be written; what is offered beyond is declined. Default 64 MiB. */
  readonly queueBytesMax?: number;
  /** What the directory holds from before is not to be given any more. Default false. */
  readonly startsEmpty?: boolean;
  /** Between tries to get a full or failed disk back. Default 5,000. */
  readonly retryIntervalMs?: number;
}

/** The options with their defaults, and the sizes that follow from them. */
export type DiskSettings = Required<Omit<DiskOptions, 'directory'>> & {
  readonly writeBufferBytes: number;
  readonly indexWriteBufferBytes: number;
  /** Taken off the budget for what is on disk twice for a moment: flushed logs, pieces on their second chance. */
  readonly reserveBytes: number;
};

const mebibyte = 1024 * 1024;
/** At most this share of a leaving generation is kept, chosen by replaying traces. */
export const reappendShareMax = 0.25;
const bytesMaxLeast = 4 * mebibyte;

/** Pieces and entries after which a generation is closed, however small they are: bounds the work of its end. */
export const generationRecordsMax = 262_144;

/** @throws EddyError `internal` naming the option that is out of bounds. */
export function diskSettings(options: DiskOptions): DiskSettings {
  const { bytesMax } = options;
  if (!Number.isSafeInteger(bytesMax) || bytesMax < bytesMaxLeast) {
    throw outOfBounds(`disk budget ${bytesMax}`, `at least ${bytesMaxLeast} bytes`);
  }
  const generationBytes = options.generationBytes ?? defaultGenerationBytes(bytesMax);
  if (!Number.isSafeInteger(generationBytes) || generationBytes < bytesMaxLeast / 8 || generationBytes > bytesMax / 4) {
    throw outOfBounds(`generationBytes ${generationBytes}`, `${bytesMaxLeast / 8} to a quarter of the budget`);
  }
  const writeBufferBytes = Math.min(8 * mebibyte, Math.floor(generationBytes / 4));
  return {
    bytesMax,
    log: options.log,
    onEvicted: (bytes) => quietly(options, () => options.onEvicted?.(bytes)),
    onHealth: (state, reason) => quietly(options, () => options.onHealth?.(state, reason)),
    generationBytes,
    reappendHits: options.reappendHits ?? 1,
    openPiecesMax: options.openPiecesMax ?? 1_000_000,
    queueBytesMax: options.queueBytesMax ?? 64 * mebibyte,
    startsEmpty: options.startsEmpty ?? false,
    retryIntervalMs: options.retryIntervalMs ?? 5_000,
    writeBufferBytes,
    indexWriteBufferBytes: Math.min(4 * mebibyte, Math.max(64 * 1024, Math.floor(bytesMax / 64))),
    reserveBytes: 2 * writeBufferBytes + Math.ceil(generationBytes * reappendShareMax),
  };
}

/** Sixteen generations, each 4 to 256 MiB; over 128 of them where 256 MiB would make too many databases. */
function defaultGenerationBytes(bytesMax: number): number {
  const least = Math.min(4 * mebibyte, bytesMax / 8);
  const wanted = Math.min(Math.max(bytesMax / 16, least), 256 * mebibyte);
  return Math.floor(Math.max(wanted, bytesMax / 128));
}

/** A callback that throws must not stop the writer. */
function quietly({ log }: DiskOptions, call: () => void): void {
  try {
    call();
  } catch (error) {
    log.error({ reason: String(error) }, 'a callback of the disk tier threw');
  }
}

function outOfBounds(what: string, right: string): EddyError {
  return new EddyError('internal', `${what} is out of bounds: ${right}`, { side: 'internal' });
}
