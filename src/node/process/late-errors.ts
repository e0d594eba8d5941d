/** Names of errors that libp2p throws from timers and events after whoever waited for them is gone. */
const lateNames: ReadonlySet<string> = new Set([
  'StreamResetError',
  'StreamAbortedError',
  'StreamClosedError',
  'StreamStateError',
  'StreamBufferError',
  'MuxerClosedError',
  'ConnectionClosedError',
  'AbortError',
  'TimeoutError',
  'PeerError',
]);
const lateCodes: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]);

/**
 * Whether an error that nobody caught is only the end of a connection to a peer, reported late (libp2p/js-libp2p#3415):
 * it must not end the process. Decided by name and by where it was thrown, so that nothing else is swallowed.
 */
export function isLatePeerError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as NodeJS.ErrnoException).code;
  const known = lateNames.has(error.name) || (code !== undefined && lateCodes.has(code));
  return (
    known &&
    /[\\/](?:libp2p|@libp2p|@chainsafe[\\/]libp2p-[a-z]+|multicast-dns|src[\\/]peers)[\\/]/.test(error.stack ?? '')
  );
}
