import { constants, type ServerHttp2Stream } from 'node:http2';
import { hopByHop } from '../../semantics/hop-by-hop.ts';
import type { ReplyFields } from '../reply/reply-fields.ts';
import type { Responder } from '../reply/responder.ts';
import { drained } from '../socket/drained.ts';

/** A Responder on one HTTP/2 stream. */
export class Http2Responder implements Responder {
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  head(status: number, { raw }: ReplyFields): void {
    if (this.#stream.destroyed) return;
    const headers: string[] = [':status', String(status)];
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const lower = (raw[i] as string).toLowerCase();
      // RFC 9113 section 8.2.2
      if (!hopByHop.has(lower)) headers.push(lower, raw[i + 1] as string);
    }
    if (status >= 200) this.#stream.respond(headers);
    else this.#stream.additionalHeaders(grouped(headers));
  }

  write(buffers: readonly Buffer[]): Promise<void> | undefined {
    const stream = this.#stream;
    if (stream.destroyed) return drained(stream);
    stream.cork();
    let accepted = true;
    for (const buffer of buffers) accepted = stream.write(buffer);
    process.nextTick(() => stream.uncork());
    return accepted ? undefined : drained(stream);
  }

  end(): void {
    this.#stream.end();
  }

  destroy(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

function grouped(flat: readonly string[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const [name, value] = [flat[i] as string, flat[i + 1] as string];
    const before = headers[name];
    headers[name] = before === undefined ? value : [before, value].flat();
  }
  return headers;
}
