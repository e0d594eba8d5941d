import type { Socket } from 'node:net';
import type { Fields } from '../../fields.ts';
import type { ReplyFields } from '../reply/reply-fields.ts';
import type { ReadRequest } from './request.ts';

/** A request as its transport read it: parsed into parts, not yet validated. */
export interface RequestHead {
  readonly method: string;
  /** Request target as received; `:path` on HTTP/2. */
  readonly target: string;
  readonly version: '1.0' | '1.1' | '2';
  /** Header fields without pseudo-header fields. */
  readonly fields: Fields;
  readonly scheme: 'http' | 'https';
  /** `:authority` on HTTP/2. */
  readonly authority?: string | undefined;
  /** Names this server where an HTTP/1.0 request does not. */
  readonly localAuthority: string;
  readonly remote: string;
  /** Of its connection. Only to be looked at. */
  readonly socket?: Socket | undefined;
  /** Content; present when the message has any. The first read sends 100 (Continue) where it was asked for. */
  readonly body?: AsyncIterable<Uint8Array> | undefined;
  /** What a transport that validates by itself made of it. */
  readonly read?: ReadRequest;
}

/** Where a response goes. Implemented once for each transport, so that nothing else knows which one it is. */
export interface Responder {
  /**
   * The status line and fields. A 1xx status may come any number of times before the final one.
   * Without Content-Length the transport delimits the content (chunked, close or END_STREAM).
   * Throws when a field cannot be sent. `Connection: close` ends an HTTP/1.1 connection after this response.
   */
  head(status: number, fields: ReplyFields): void;
  /**
   * Content, never written to afterwards by anyone. A promise means: wait for it before the next write;
   * it rejects when the viewer is gone.
   */
  write(buffers: readonly Buffer[]): Promise<void> | undefined;
  /** Whether the kernel or TLS has all that was written, so that nobody looks at it any more. Absent: it is not known. */
  readonly taken?: boolean;
  end(): void;
  /** Ends so that the viewer sees an incomplete message: connection closed, or RST_STREAM. */
  destroy(error: Error): void;
}
