import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type CellMedia, cellMedia } from './cell-media.ts';

/** How it answers from then on; what is left out stays as it is. */
export interface CellOriginCommand {
  /** From a request to the head of its answer. */
  readonly delayMs?: number;
  /** Of each body; 0: no limit. */
  readonly bytesPerSecond?: number;
  /** Another version has other bytes and another ETag. */
  readonly version?: number;
  readonly cacheControl?: string;
  /** Whether responses say the SHA-256 of the representation (RFC 9530). */
  readonly reprDigest?: boolean;
}

/** A body that the origin sent, or as much of it as was taken. */
export interface SentBody {
  /** Who asked: see `urlFor`. */
  readonly by: string;
  readonly etag: string;
  /** The Range field, or `all`. */
  readonly asked: string;
  /** Its first byte's place in the representation. */
  readonly first: number;
  bytes: number;
  /** By the clock of the origin's process. */
  readonly fromMs: number;
  /** Undefined while it is sent. */
  toMs: number | undefined;
}

export interface CellOriginReport {
  readonly port: number;
  readonly paths: readonly (readonly [
    path: string,
    { readonly requests: number; readonly bodyBytes: number; readonly bodies: readonly SentBody[] },
  ])[];
}

export interface CellOriginOptions {
  readonly media?: CellMedia;
  /** Address that it listens on. */
  readonly host?: string;
}

const program = fileURLToPath(new URL('./cell-origin-child.ts', import.meta.url));
const answerTimeoutMs = 20_000;

/** The origin of a cell, a process of its own: what it does costs the tests' process nothing. */
export class CellOrigin {
  readonly url: string;
  readonly media: CellMedia;
  readonly #ask: (command: CellOriginCommand) => Promise<CellOriginReport>;
  readonly #end: () => void;

  private constructor(options: {
    url: string;
    media: CellMedia;
    ask: (command: CellOriginCommand) => Promise<CellOriginReport>;
    end: () => void;
  }) {
    this.url = options.url;
    this.media = options.media;
    this.#ask = options.ask;
    this.#end = options.end;
  }

  static async start({ media = cellMedia, host = '127.0.0.1' }: CellOriginOptions = {}): Promise<CellOrigin> {
    const child = fork(program, [host, JSON.stringify(media)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    const report = async () =>
      (await once(child, 'message', { signal: AbortSignal.timeout(answerTimeoutMs) }))[0] as CellOriginReport;
    let turn: Promise<unknown> = Promise.resolve();
    const ask = (command: CellOriginCommand): Promise<CellOriginReport> => {
      const asked = turn.then(async () => {
        const answered = report();
        child.send(command);
        return answered;
      });
      turn = asked.catch(() => {});
      return asked;
    };
    const { port } = await report();
    return new CellOrigin({ url: `http://${host}:${port}`, media, ask, end });
  }

  /** The same origin by a URL that tells who asks. `{node}` in the argument of a node becomes its number: see `ProcessCell`. */
  urlFor(asker = '{node}'): string {
    return `${this.url}/by/${asker}`;
  }

  async set(command: CellOriginCommand): Promise<void> {
    await this.#ask(command);
  }

  /** Requests and body bytes of all paths so far that begin with `prefix`. */
  async count(prefix = '/'): Promise<{ requests: number; bodyBytes: number }> {
    const { paths } = await this.#ask({});
    const wanted = paths.filter(([path]) => path.startsWith(prefix));
    return {
      requests: wanted.reduce((sum, [, { requests }]) => sum + requests, 0),
      bodyBytes: wanted.reduce((sum, [, { bodyBytes }]) => sum + bodyBytes, 0),
    };
  }

  /** Each path that it was asked for. */
  async paths(): Promise<CellOriginReport['paths']> {
    return (await this.#ask({})).paths;
  }

  close(): void {
    this.#end();
  }
}
