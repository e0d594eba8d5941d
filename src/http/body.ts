import type { Readable } from 'node:stream';
import { EddyError } from '../errors.ts';

interface BodyOptions {
  readonly bytesMax: number;
  /** Called before the first read: the moment to send 100 (Continue). */
  readonly onFirstRead?: () => void;
}

/** The content of a request, read only as fast as it is consumed, and bounded. Leaving it early keeps the connection. */
export async function* readBody(stream: Readable, { bytesMax, onFirstRead }: BodyOptions): AsyncGenerator<Buffer> {
  onFirstRead?.();
  let bytes = 0;
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length;
      if (bytes > bytesMax) {
        const message = `the content is longer than ${bytesMax} bytes`;
        throw new EddyError('request-too-large', message, { side: 'downstream' });
      }
      yield chunk as Buffer;
    }
  } catch (cause) {
    if (cause instanceof EddyError) throw cause;
    throw new EddyError('client-gone', 'the viewer broke off its request', { side: 'downstream', cause });
  }
}
