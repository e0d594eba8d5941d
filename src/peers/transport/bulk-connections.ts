import type { circuitRelayServer } from '@libp2p/circuit-relay-v2';
import type { Connection, PeerId } from '@libp2p/interface';
import { relayIn } from './address-parts.ts';

type ConnectionManager = Parameters<ReturnType<typeof circuitRelayServer>>[0]['connectionManager'];

/** Relayed bytes go beside bodies: of the two connections with a member the later one, and never one that is relayed. */
export function byBulk(manager: ConnectionManager, fitted = (connection: Connection) => connection): ConnectionManager {
  const open = (peerId: PeerId): Connection | undefined =>
    manager.getConnections(peerId).findLast(({ remoteAddr }) => relayIn(remoteAddr.toString()) === undefined);
  return overridden(manager, {
    getConnections: (peerId) => [peerId && open(peerId)].flatMap((found) => (found ? [fitted(found)] : [])),
    openConnection: async (peer, options) =>
      ('toMultihash' in peer ? open(peer) : undefined) ?? manager.openConnection(peer, options),
  });
}

/** An object with some of its parts replaced. */
export function overridden<T extends object>(object: T, replaced: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      if (Object.hasOwn(replaced, name)) return replaced[name as keyof T];
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
