import type { ReplyFields } from './reply-fields.ts';

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
