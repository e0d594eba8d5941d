import { once } from 'node:events';
import type { ListenOptions, Server } from 'node:net';

/** What is right about an address, by what the system says is wrong with it. */
const rights: readonly (readonly [code: string, right: string])[] = [
  ['EADDRINUSE', 'must be an address that nothing else listens on'],
  ['EADDRNOTAVAIL', 'must be an address of this machine'],
  ['ENOTFOUND', 'must be an address or a name of this machine'],
  ['EACCES', 'must be a port that this user may listen on'],
];

/** A node cannot listen where it is to: names the option, the address and what would be right. */
export class CannotListen extends Error {}

/** What to throw where listening failed: CannotListen if the system says that it is the address, else what was thrown. */
export function cannotListen(cause: unknown, { option, address }: { option: string; address: string }): unknown {
  const [code, right] = rights.find(([each]) => String(cause).includes(each)) ?? [];
  return code === undefined ? cause : new CannotListen(`${option} is "${address}": ${right} (${code})`, { cause });
}

/** Listens there. Rejects with what `cannotListen` says. */
export async function listening(
  server: Server,
  { option, host, port, ...how }: ListenOptions & { option: string; host: string; port: number },
): Promise<void> {
  server.listen({ host, port, ...how });
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw cannotListen(cause, { option, address: hostAndPort({ host, port }) });
  }
}

/** As in a URL (RFC 3986 section 3.2): IPv6 addresses in brackets. */
export function hostAndPort({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
