import type { Server } from 'node:net';
import { isKnownRelease, type Libc, openLibc } from '../../libc.ts';

/** What a server of node has, as far as it is looked at here. */
interface ServerHandle {
  readonly fd: number;
  onconnection(error: number, connection?: ConnectionHandle): void;
}

interface ConnectionHandle {
  readonly constructor: new (type: number) => OpenHandle;
}

interface OpenHandle extends ConnectionHandle {
  /** 0, or why not. */
  open(fd: number): number;
  close(): void;
}

const definitions = {
  accept4: { return: 'i32', arguments: ['i32', 'pointer', 'pointer', 'i32'] },
  close: { return: 'i32', arguments: ['i32'] },
} as const;

/** O_NONBLOCK and O_CLOEXEC, which Linux has for sockets under other names, on the machines that `openLibc` knows. */
const accepted = 0o4000 | 0o2000000;
/** What a handle of node is for: a connection, and not a server. */
const forConnection = 0;
/** Taken in one turn; the others come next, after those who were taken were served. */
const perTurnMax = 64;

/**
 * Lets a server that listens take all who wait, each time somebody comes. node takes one for each turn of its event
 * loop, and a turn is as long as it takes to answer everybody else: a crowd that meets a busy node would wait for
 * seconds. The handle is private to node: where it is not as expected, or the C library cannot be called, it stays so.
 */
export function acceptTogether(server: Server, libc = openLibc(definitions)): void {
  const handle = handleOf(server);
  if (handle === undefined || libc === undefined) return;
  const { onconnection } = handle;
  handle.onconnection = (error, connection) => {
    onconnection.call(handle, error, connection);
    if (error !== 0 || connection === undefined) return;
    // Whoever is told of a connection may close the server; its number may be another's by then.
    for (let i = 1; i < perTurnMax && handleOf(server) === handle; i++) {
      const next = acceptOne(handle, connection, libc);
      if (next === undefined) return;
      onconnection.call(handle, 0, next);
    }
  };
}

function acceptOne(
  { fd }: ServerHandle,
  { constructor: Handle }: ConnectionHandle,
  { call }: Libc<typeof definitions>,
): ConnectionHandle | undefined {
  // Nobody is there, or there is no room: node finds out which of them when it tries.
  const socket = fd < 0 ? -1 : call.accept4(fd, 0n, 0n, accepted);
  if (socket < 0) return undefined;
  const connection = new Handle(forConnection);
  if (connection.open(socket) === 0) return connection;
  call.close(socket);
  connection.close();
  return undefined;
}

function handleOf(server: Server): ServerHandle | undefined {
  const { _handle: handle } = server as unknown as { readonly _handle?: Partial<ServerHandle> | null };
  const usable = isKnownRelease && typeof handle?.fd === 'number' && typeof handle.onconnection === 'function';
  return usable ? (handle as ServerHandle) : undefined;
}
