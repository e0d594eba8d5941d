import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Span } from '../../semantics/content-range.ts';

/** Of a representation of that length. */
export interface SpanOf extends Span {
  readonly length: number;
}

/**
 * Fields of a response, flat as `Fields.raw`. What is made of them once is kept with them: many responses share the
 * fields of one stored response. Immutable as seen from outside.
 */
export class ReplyFields {
  readonly #shared: ReplyFields | undefined;
  readonly #own: readonly string[];
  #areOurs = false;
  #raw: readonly string[] | undefined;
  #text: string | undefined;
  #hasLength: boolean | undefined;
  #message: Message | undefined;

  constructor(own: readonly string[], shared?: ReplyFields) {
    this.#own = own;
    this.#shared = shared;
  }

  /** Fields of this node's own making behind shared ones: of digits and words, which need no validation. */
  static ours(own: readonly string[], shared: ReplyFields): ReplyFields {
    const fields = new ReplyFields(own, shared);
    fields.#areOurs = true;
    return fields;
  }

  /** Fields of 206 with one part, and those it has in common with others. */
  static ofSpan({ first, last, length }: SpanOf, shared: ReplyFields): ReplyFields {
    const own = ['Content-Range', `bytes ${first}-${last}/${length}`, 'Content-Length', String(last - first + 1)];
    const fields = ReplyFields.ours(own, shared);
    fields.#hasLength = true;
    return fields;
  }

  /** These fields, then others. */
  and(...others: string[]): ReplyFields {
    return new ReplyFields(others, this);
  }

  get raw(): readonly string[] {
    if (this.#shared === undefined) return this.#own;
    this.#raw ??= [...this.#shared.raw, ...this.#own];
    return this.#raw;
  }

  /** Whether the last of them is Connection, which only those have that end it. */
  get closes(): boolean {
    return this.#own.at(-2) === 'Connection';
  }

  get hasLength(): boolean {
    this.#hasLength ??= this.#shared?.hasLength === true || namesLength(this.#own);
    return this.#hasLength;
  }

  /** Lines with their CRLF. Throws like node:http where a name or a value cannot be sent. */
  get text(): string {
    this.#text ??= (this.#shared?.text ?? '') + (this.#areOurs ? joined(this.#own) : serialize(this.#own));
    return this.#text;
  }

  /** A whole header section in latin1, between a start line and what closes it; bytes once it is asked for again. */
  message(start: string, tail: string): string | Buffer {
    const known = this.#message;
    if (known === undefined || known.start !== start || known.tail !== tail) {
      const text = start + this.text + tail;
      this.#message = { start, tail, text, bytes: undefined, content: undefined, together: undefined };
      return text;
    }
    known.bytes ??= Buffer.from(known.text, 'latin1');
    return known.bytes;
  }

  /**
   * The same and little content behind it, as bytes that are kept. Undefined if it is not that little, or asked for the
   * first time.
   */
  messageWith(start: string, tail: string, content: Buffer): Buffer | undefined {
    const known = this.#message;
    if (known === undefined || known.start !== start || known.tail !== tail) return undefined;
    if (known.content === content) return known.together;
    if (content.length > togetherBytesMax) return undefined;
    known.together = Buffer.concat([Buffer.from(known.text, 'latin1'), content]);
    known.content = content;
    return known.together;
  }
}

/** Copies of longer content would be more memory than the writes they save are worth. */
const togetherBytesMax = 4096;

interface Message {
  readonly start: string;
  readonly tail: string;
  readonly text: string;
  bytes: Buffer | undefined;
  content: Buffer | undefined;
  together: Buffer | undefined;
}

function joined(fields: readonly string[]): string {
  let lines = '';
  for (let i = 0; i + 1 < fields.length; i += 2) lines += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return lines;
}

/** As `joined`, where names and values must be looked at. */
function serialize(fields: readonly string[]): string {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [name, value] = [fields[i] as string, fields[i + 1] as string];
    validateHeaderName(name);
    validateHeaderValue(name, value);
  }
  return joined(fields);
}

function namesLength(fields: readonly string[]): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.length === 14 && fields[i]?.toLowerCase() === 'content-length') return true;
  }
  return false;
}
