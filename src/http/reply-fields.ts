import { validateHeaderName, validateHeaderValue } from 'node:http';

/**
 * Fields of a response, flat as `Fields.raw`. What is made of them once is kept with them: many responses share the
 * fields of one stored response. Immutable as seen from outside.
 */
export class ReplyFields {
  readonly #shared: ReplyFields | undefined;
  readonly #own: readonly string[];
  #raw: readonly string[] | undefined;
  #text: string | undefined;
  #hasLength: boolean | undefined;
  #message:
    | { readonly start: string; readonly tail: string; readonly text: string; bytes: Buffer | undefined }
    | undefined;

  constructor(own: readonly string[], shared?: ReplyFields) {
    this.#own = own;
    this.#shared = shared;
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
    this.#text ??= (this.#shared?.text ?? '') + serialize(this.#own);
    return this.#text;
  }

  /** A whole header section in latin1, between a start line and what closes it; bytes once it is asked for again. */
  message(start: string, tail: string): string | Buffer {
    const known = this.#message;
    if (known === undefined || known.start !== start || known.tail !== tail) {
      const text = start + this.text + tail;
      this.#message = { start, tail, text, bytes: undefined };
      return text;
    }
    known.bytes ??= Buffer.from(known.text, 'latin1');
    return known.bytes;
  }
}

function serialize(fields: readonly string[]): string {
  let lines = '';
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [name, value] = [fields[i] as string, fields[i + 1] as string];
    validateHeaderName(name);
    validateHeaderValue(name, value);
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

function namesLength(fields: readonly string[]): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i]?.length === 14 && fields[i]?.toLowerCase() === 'content-length') return true;
  }
  return false;
}
