import type { Socket } from 'node:net';

/**
 * The kernel's name of a socket, to be used at once: it may be another's later. Below 0 when it is closed; over TLS that
 * of the connection below. It is private to node.
 */
export function fdOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null };
  return handle?.fd ?? -1;
}
