import type { Writable } from 'node:stream';
import pino from 'pino';
import { prettyFactory } from 'pino-pretty';
import { LineOutput, standardOutput } from './log/output.ts';
import { redacted } from './log/redact.ts';

/** What parts of the node log to. First what a program reads, then what a person reads. */
export interface Log {
  debug(about: object, message: string): void;
  info(about: object, message: string): void;
  warn(about: object, message: string): void;
  error(about: object, message: string): void;
}

/** The log of a node. */
export interface ProcessLog extends Log {
  /**
   * A line of the access log at level info, written soon. `lineOf` makes it of the record, as JSON with a line feed and
   * free of secrets; it is not called when the line is not wanted.
   */
  access<Record>(record: Record, lineOf: (record: Record) => string): void;
  /** Whole lines that another thread's log made: written as they are, and never between the parts of another line. */
  lines(bytes: Uint8Array): void;
  /** Whether lines are for people instead of JSON. */
  readonly pretty: boolean;
  setLevel(level: string): void;
}

/** The log of the process: `log` is handed on, the rest is for whoever starts and ends the process. */
export interface OpenLog {
  readonly log: ProcessLog;
  /** A line that is written at any level, also `silent`. */
  always(about: object, message: string): void;
  fatal(about: object, message: string): void;
  /** Resolves when all lines are written, or could not be within a second. Never rejects. */
  flush(): Promise<void>;
}

interface LogOptions {
  readonly level: string;
  /** Lines for people instead of JSON. */
  readonly pretty?: boolean;
  /** Default: standard output. */
  readonly destination?: Writable;
}

/** A log of JSON lines on standard output, written without waiting. */
export function openLog({ level, pretty = false, destination = standardOutput() }: LogOptions): OpenLog {
  const output = new LineOutput(destination);
  const format = pretty ? prettyFactory({ colorize: true, translateTime: 'SYS:HH:MM:ss.l' }) : (line: string) => line;
  // Not a destination of pino's: at exit that tries again for ever once the reader is gone, and blocks the process.
  const target = { write: (line: string) => output.write(format(line)) };
  const logger = pino({ ...pinoOptions, level }, target);
  const unsilenced = logger.child({}, { level: 'info' });
  return {
    log: {
      debug: (about, message) => logger.debug(about, message),
      info: (about, message) => logger.info(about, message),
      warn: (about, message) => logger.warn(about, message),
      error: (about, message) => logger.error(about, message),
      access: (record, lineOf) => {
        // Not through pino: this line is written for every request, and takes a tenth of the time this way.
        if (logger.isLevelEnabled('info')) output.writeSoon(format(lineOf(record)));
      },
      lines: (bytes) => output.writeBytes(bytes),
      pretty,
      setLevel: (next) => {
        logger.level = next;
      },
    },
    always: (about, message) => unsilenced.info(about, message),
    fatal: (about, message) => unsilenced.fatal(about, message),
    flush: () => output.flush(),
  };
}

const pinoOptions = {
  base: null,
  // `redacted` makes plain objects of errors.
  serializers: { err: (error: unknown) => error },
  formatters: {
    level: (label: string) => ({ level: label }),
    log: (about: object) => redacted(about) as Record<string, unknown>,
  },
} satisfies pino.LoggerOptions;
