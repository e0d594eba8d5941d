import { Fields } from '../../fields.ts';
import type { ReadRequest, RequestLimits } from '../request/request.ts';
import { isAuthority, parseTarget } from '../request/target.ts';

/** A request that the lean front takes, and where the next one begins. */
export interface LeanRequest {
  readonly read: ReadRequest;
  /** The viewer asked for the connection to end after the response. */
  readonly close: boolean;
  /** Offset behind the empty line. */
  readonly end: number;
}

/** What a header section says, without the request line. */
interface ReadSection {
  readonly authority: string;
  readonly fields: Fields;
  readonly close: boolean;
  /** Without the empty line. */
  readonly length: number;
}

interface Section extends ReadSection {
  /** As it came, each line with its CRLF. */
  readonly text: string;
  /** Where it has one plain Range: what is before its value, and behind it to the end of the empty line. */
  readonly around: readonly [before: string, behind: string] | undefined;
}

/** A longer header section is none of the common case. */
const sectionBytesMax = 4096;
const linesMax = 48;
/** Targets are kept with what is stored for them, and with them a text that they were cut from. */
const sliceableMax = 2048;

/** `token ":" value CRLF`, one or more times; values of visible ASCII and spaces only. No folding, no bare CR or LF. */
const wellFormed = /^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[ -~]*\r\n)+$/;

/** Fields that frame a message, speak about this hop or ask for more than an answer: not for the lean front. */
const unusual: ReadonlySet<string> = new Set([
  ...['content-length', 'transfer-encoding', 'expect', 'upgrade', 'te', 'trailer', 'keep-alive'],
  ...['proxy-connection', 'proxy-authorization', 'http2-settings'],
]);

/**
 * Reads the requests of one connection as far as they are plain: GET or HEAD, origin-form, HTTP/1.1, one valid Host, no
 * content, whole in the bytes at hand. It is stricter than `readRequest` and never reads anything differently: what it
 * does not take, it does not judge.
 */
export class LeanReader {
  readonly #limits: RequestLimits;
  /** A viewer's header sections are mostly the same: what the last one said is kept. */
  #last: Section | undefined;
  /** So may be whole requests: playlists are asked for again and again. */
  #lastText = '';
  #lastRequest: LeanRequest | undefined;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  /** The request at `start` of `text` (latin1, one character for each byte); undefined: for a full parser to read. */
  read(text: string, start: number): LeanRequest | undefined {
    if (text === this.#lastText && start === 0) return this.#lastRequest;
    const request = this.#read(text, start);
    if (start === 0 && request?.end === text.length && text.length <= sliceableMax) {
      this.#lastText = text;
      this.#lastRequest = request;
    }
    return request;
  }

  #read(text: string, start: number): LeanRequest | undefined {
    const method = methodAt(text, start);
    if (method === undefined) return undefined;
    const targetStart = start + method.length + 1;
    const targetEnd = text.indexOf(' ', targetStart);
    if (targetEnd < 0 || !text.startsWith(versionAndEnd, targetEnd)) return undefined;
    const sectionStart = targetEnd + versionAndEnd.length;
    const section = this.#section(text, sectionStart);
    if (section === undefined) return undefined;
    const slice = text.slice(targetStart, targetEnd);
    const target = text.length > sliceableMax ? flat(slice) : slice;
    if (target.length > this.#limits.targetBytesMax || parseTarget(target, method).form !== 'origin') return undefined;
    const { authority, fields, close } = section;
    const end = sectionStart + section.length + 2;
    return { read: { kind: 'request', method, target, authority, fields, body: undefined }, close, end };
  }

  #section(text: string, start: number): ReadSection | undefined {
    const last = this.#last;
    // It ends with CRLF and has no empty line in it, so an empty line behind it is the end.
    if (last !== undefined && text.startsWith(last.text, start) && text.startsWith('\r\n', start + last.length))
      return last;
    const ranged = last && withOtherRange(last, text, start);
    if (ranged !== undefined) return ranged;
    const end = text.indexOf('\r\n\r\n', start);
    if (end < 0 || end - start > sectionBytesMax) return undefined;
    const section = readSection(flat(text.slice(start, end + 2)), this.#limits);
    this.#last = section ?? last;
    return section;
  }
}

/** The last section with another Range in it: what a player that reads a file piece by piece sends. No longer than that one. */
function withOtherRange(
  { around, authority, fields, close, length }: Section,
  text: string,
  start: number,
): ReadSection | undefined {
  if (around === undefined || !text.startsWith(around[0], start)) return undefined;
  const [before, behind] = around;
  const from = start + before.length;
  const to = text.indexOf('\r', from);
  const value = text.slice(from, to);
  const own = before.length + value.length + behind.length - 2;
  if (own > length || !plainRange.test(value) || !text.startsWith(behind, to)) return undefined;
  return { authority, fields: fields.withLine('range', value), close, length: own };
}

const plainRange = /^bytes=\d{1,15}-\d{0,15}$/;

function aroundRange(text: string, fields: Fields): Section['around'] {
  if (fields.isPlain) return undefined;
  const line = /(?:^|\r\n)range: *(?=bytes=)/i.exec(text);
  if (line === null || fields.all('range').length !== 1) return undefined;
  const from = line.index + line[0].length;
  const to = text.indexOf('\r', from);
  return plainRange.test(text.slice(from, to)) ? [text.slice(0, from), `${text.slice(to)}\r\n`] : undefined;
}

const versionAndEnd = ' HTTP/1.1\r\n';

function methodAt(text: string, start: number): 'GET' | 'HEAD' | undefined {
  if (text.startsWith('GET ', start)) return 'GET';
  return text.startsWith('HEAD ', start) ? 'HEAD' : undefined;
}

function readSection(text: string, limits: RequestLimits): Section | undefined {
  if (!wellFormed.test(text)) return undefined;
  const lines = text.split('\r\n', linesMax + 2);
  const count = lines.length - 1;
  // Each line counts with its name, value and four bytes more, of which a colon and CRLF are three.
  if (count > Math.min(linesMax, limits.fieldsMax) || text.length + count > limits.headBytesMax) return undefined;
  const raw: string[] = [];
  let authority: string | undefined;
  let connection: string | undefined;
  for (let i = 0; i < count; i++) {
    const line = lines[i] as string;
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    const lower = name.toLowerCase();
    if (unusual.has(lower)) return undefined;
    if (lower === 'host') {
      if (authority !== undefined || !isAuthority(value)) return undefined;
      authority = value.toLowerCase();
    } else if (lower === 'connection') {
      if (connection !== undefined) return undefined;
      connection = value.toLowerCase();
    } else raw.push(name, value);
  }
  if (authority === undefined) return undefined;
  if (connection !== undefined && connection !== 'keep-alive' && connection !== 'close') return undefined;
  const fields = new Fields(raw);
  const around = aroundRange(text, fields);
  return { text, length: text.length, authority, fields, close: connection === 'close', around };
}

/** A copy: a slice would keep the text of a whole read alive. */
function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
