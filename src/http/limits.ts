/** Bounds on what one viewer may cost; times in milliseconds, sizes in bytes. */
export interface ViewerLimits {
  /** From the first byte of a request (or the connection's start) to the end of its header section: then 408. */
  readonly headTimeoutMs: number;
  /** For the whole request, content included: then 408 or a closed connection. */
  readonly requestTimeoutMs: number;
  /** How long a connection may rest between requests. */
  readonly keepAliveTimeoutMs: number;
  /** How long a viewer may take none of the bytes that wait for it: then the connection (the stream on HTTP/2) ends. */
  readonly stallTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  /** All field lines of a request together: beyond it 431. */
  readonly headBytesMax: number;
  /** Request target: beyond it 414. */
  readonly targetBytesMax: number;
  /** Field lines of a request: beyond it 431. */
  readonly fieldsMax: number;
  /** Content of a request: beyond it 413. */
  readonly bodyBytesMax: number;
  /** Requests waiting behind another on one HTTP/1.1 connection; at the bound the connection closes after them. */
  readonly pipelineMax: number;
  /** Connections on each listening address. */
  readonly connectionsMax: number;
  /** Concurrent streams of one HTTP/2 connection. */
  readonly streamsMax: number;
  /** While draining: how long connections that rest may still ask, and be told to close, before they are closed. Default 600. */
  readonly drainGraceMs?: number;
}
