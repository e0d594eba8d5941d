import pino from 'pino';
import pretty from 'pino-pretty';
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
  /** One line of the access log at level info. The members are already free of secrets; JSON values only. */
  access(record: object): void;
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

export interface LogOptions {
  readonly level: string;
  /** Lines for people instead of JSON. */
  readonly pretty?: boolean;
  /** Default: standard output. */
  readonly destination?: NodeJS.WritableStream;
}

/** Lines waiting for a reader that does not read; beyond it lines are dropped, the node goes on. */
const waitingBytesMax = 16 * 1024 * 1024;
const flushTimeoutMs = 1_000;

/** A log of JSON lines on standard output, written without waiting. */
export function openLog({ level, pretty: forPeople = false, destination }: LogOptions): OpenLog {
  const output: Output =
    destination === undefined ? openStandardOutput() : { stream: destination, flush: async () => {} };
  const target = forPeople ? pretty({ destination: output.stream, colorize: true, sync: true }) : output.stream;
  const logger = pino({ ...pinoOptions, level }, target);
  const unsilenced = logger.child({}, { level: 'info' });
  return {
    log: {
      debug: (about, message) => logger.debug(about, message),
      info: (about, message) => logger.info(about, message),
      warn: (about, message) => logger.warn(about, message),
      error: (about, message) => logger.error(about, message),
      access: (record) => {
        // Not through pino: this line is written for every request, and a plain stringify costs a tenth.
        if (logger.isLevelEnabled('info')) {
          target.write(`{"level":"info","msg":"request",${JSON.stringify(record).slice(1)}\n`);
        }
      },
      setLevel: (next) => {
        logger.level = next;
      },
    },
    always: (about, message) => unsilenced.info(about, message),
    fatal: (about, message) => unsilenced.fatal(about, message),
    flush: output.flush,
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

interface Output {
  readonly stream: NodeJS.WritableStream;
  readonly flush: () => Promise<void>;
}

function openStandardOutput(): Output {
  const stream = pino.destination({ dest: 1, sync: false, maxLength: waitingBytesMax });
  let dropped = 0;
  stream.on('drop', () => {
    dropped++;
  });
  stream.on('drain', () => {
    if (dropped === 0) return;
    const lines = dropped;
    dropped = 0;
    stream.write(
      `{"level":"warn","time":${Date.now()},"lines":${lines},"msg":"log lines were lost: nobody read them"}\n`,
    );
  });
  const flush = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, flushTimeoutMs);
      stream.flush(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  return { stream: stream as unknown as NodeJS.WritableStream, flush };
}
