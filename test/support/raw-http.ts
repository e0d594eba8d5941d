import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** One response as it lay on the wire. */
export interface RawResponse {
  readonly status: number;
  readonly head: string;
  /** Lower-case names; lines of one name joined by ", ". */
  readonly fields: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** False when the connection ended before the message did. */
  readonly whole: boolean;
}

/** A connection that sends exactly the bytes it is told and parses responses strictly, in order. */
export class RawConnection {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #ended = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#ended = true;
    });
    socket.on('end', () => {
      this.#ended = true;
    });
  }

  static async open(url: string): Promise<RawConnection> {
    const { protocol, hostname, port } = new URL(url);
    const where = { host: hostname, port: Number(port) };
    const secure = protocol === 'https:';
    const socket = secure ? connectTls({ ...where, rejectUnauthorized: false }) : connect(where);
    await once(socket, secure ? 'secureConnect' : 'connect');
    return new RawConnection(socket);
  }

  send(text: string | Buffer): void {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
  }

  /** The next response; `method` HEAD has no content. Undefined when the connection ended before any byte of it. */
  async response(method = 'GET'): Promise<RawResponse | undefined> {
    for (;;) {
      const parsed = parseResponse(this.#received, { method, ended: this.#ended });
      if (parsed !== undefined) {
        this.#received = this.#received.subarray(parsed.size);
        return parsed.response;
      }
      if (this.#ended && this.#received.length === 0) return undefined;
      if (this.#ended) throw new Error(`not a response: ${JSON.stringify(this.#received.toString('latin1'))}`);
      await this.#more();
    }
  }

  async closed(): Promise<void> {
    this.socket.resume();
    if (!this.socket.closed) await once(this.socket, 'close').catch(() => {});
  }

  destroy(): void {
    this.socket.destroy();
  }

  #more(): Promise<void> {
    const { socket } = this;
    return new Promise((resolve) => {
      const settle = () => {
        for (const event of ['data', 'end', 'close'] as const) socket.off(event, settle);
        resolve();
      };
      for (const event of ['data', 'end', 'close'] as const) socket.on(event, settle);
    });
  }
}

/** One request on a connection of its own. */
export async function exchange(url: string, request: string, method = 'GET'): Promise<RawResponse> {
  const connection = await RawConnection.open(url);
  connection.send(request);
  const response = await connection.response(method);
  connection.destroy();
  if (response === undefined) throw new Error('the connection ended without a response');
  return response;
}

function parseResponse(
  bytes: Buffer,
  { method, ended }: { method: string; ended: boolean },
): { response: RawResponse; size: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  const [statusLine = '', ...lines] = head.split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) throw new Error(`bad status line ${JSON.stringify(statusLine)}`);
  const fields = parseFields(lines);
  const rest = bytes.subarray(headEnd + 4);
  const content = parseContent(rest, { status, method, fields, ended });
  if (content === undefined) return undefined;
  const { body, size, whole } = content;
  return { response: { status, head, fields, body, whole }, size: headEnd + 4 + size };
}

export function parseFields(lines: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?(.*)$/.exec(line);
    if (match === null) throw new Error(`bad field line ${JSON.stringify(line)}`);
    const [, name = '', value = ''] = match;
    const before = fields.get(name.toLowerCase());
    fields.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`);
  }
  return fields;
}

interface Parsed {
  readonly body: Buffer;
  readonly size: number;
  readonly whole: boolean;
}

function parseContent(
  rest: Buffer,
  about: { status: number; method: string; fields: ReadonlyMap<string, string>; ended: boolean },
): Parsed | undefined {
  const { status, method, fields, ended } = about;
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) {
    return { body: Buffer.alloc(0), size: 0, whole: true };
  }
  if (fields.get('transfer-encoding') === 'chunked') return parseChunks(rest, ended);
  const length = fields.get('content-length');
  if (length === undefined) return ended ? { body: rest, size: rest.length, whole: true } : undefined;
  const wanted = Number(length);
  if (rest.length >= wanted) return { body: rest.subarray(0, wanted), size: wanted, whole: true };
  return ended ? { body: rest, size: rest.length, whole: false } : undefined;
}

function parseChunks(rest: Buffer, ended: boolean): Parsed | undefined {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = rest.indexOf('\r\n', at);
    if (lineEnd === -1) return ended ? { body: Buffer.concat(chunks), size: rest.length, whole: false } : undefined;
    const size = Number.parseInt(rest.toString('latin1', at, lineEnd), 16);
    if (Number.isNaN(size)) throw new Error('bad chunk size');
    const start = lineEnd + 2;
    if (rest.length < start + size + 2) {
      return ended ? { body: Buffer.concat(chunks), size: rest.length, whole: false } : undefined;
    }
    if (size === 0) return { body: Buffer.concat(chunks), size: start + 2, whole: true };
    chunks.push(rest.subarray(start, start + size));
    at = start + size + 2;
  }
}
