import { yamux } from '@chainsafe/libp2p-yamux';
import type { Libp2p, PrivateKey } from '@libp2p/interface';
import { mdns } from '@libp2p/mdns';
import { tcp } from '@libp2p/tcp';
import { tls } from '@libp2p/tls';
import { createLibp2p } from 'libp2p';
import { cannotListen } from '../../listening.ts';
import { type Circuits, relayServer } from './circuits.ts';
import { TlsTransport } from './tls-transport.ts';
import { streamsMax, yamuxSessions } from './yamux-session.ts';
import { bufferedBytesMax, initialWindowBytes, windowBytesMax } from './yamux-stream.ts';

export interface HostOptions {
  readonly privateKey: PrivateKey;
  /** Multiaddrs; empty for a node that only dials. */
  readonly listen: readonly string[];
  /** `direct`: TLS on the socket (measured best). `stock`: libp2p's tcp and tls, for what cannot do that. One per cell. */
  readonly transport: 'direct' | 'stock';
  /** Names the cell on the LAN; undefined: no mDNS. */
  readonly mdnsTag: string | undefined;
  readonly gate: HostGate;
  readonly circuits: Circuits;
  /** Lets members that cannot be dialled reach each other through this node. */
  readonly relay: { readonly bytesPerSecond: number } | undefined;
}

/** Who may connect. */
export interface HostGate {
  /** By IP address, before any cryptography. */
  acceptAddress(address: string): boolean;
  /** By peer id, once the handshake proved it. */
  acceptPeer(peerId: string): boolean;
  /** Whether that peer may use this node as a relay, or be one for it. */
  acceptRelaying(peerId: string): boolean;
}

/** Connections of all peers together; a pair of nodes has two. */
const connectionsMax = 512;
/** A whole cell behind one address may restart at once. */
const inboundPerSecondMax = 64;
const dialTimeoutMs = 5_000;
/** All members answer each look, and all hear all answers. One that comes looks at once, and is seen by that. */
const lookOnLanEveryMs = 60_000;

/** The library's yamux, for what is relayed and for `stock`, within the bounds of our own. */
export const muxer = yamux({
  maxInboundStreams: streamsMax,
  maxOutboundStreams: streamsMax,
  keepAliveInterval: 15_000,
  streamOptions: {
    initialStreamWindowSize: initialWindowBytes,
    maxStreamWindowSize: windowBytesMax,
    maxReadBufferLength: bufferedBytesMax,
    maxWriteBufferLength: bufferedBytesMax,
  },
});

/** Starts the libp2p node. Rejects when it cannot listen, with what `cannotListen` says. */
export async function startHost(options: HostOptions): Promise<Libp2p> {
  try {
    return await createHost(options);
  } catch (cause) {
    throw cannotListen(cause, { option: '--peer-listen', address: options.listen.join(',') });
  }
}

async function createHost(options: HostOptions): Promise<Libp2p> {
  const { gate, circuits, relay } = options;
  const direct = options.transport === 'direct';
  return createLibp2p({
    privateKey: options.privateKey,
    addresses: { listen: [...options.listen] },
    transports: [
      direct
        ? (components) =>
            new TlsTransport(components, {
              muxer: yamuxSessions,
              acceptAddress: (address) => gate.acceptAddress(plain(address)),
            })
        : tcp(),
      circuits.transport,
    ],
    // Relayed connections are secured by libp2p's own means, from end to end.
    connectionEncrypters: [tls()],
    streamMuxers: [muxer],
    connectionGater: {
      denyDialMultiaddr: () => false,
      denyInboundConnection: ({ remoteAddr }) => {
        const ip = remoteAddr.getComponents().find(({ name }) => name === 'ip4' || name === 'ip6')?.value;
        return ip !== undefined && !gate.acceptAddress(plain(ip));
      },
      denyInboundEncryptedConnection: (peerId) => !gate.acceptPeer(peerId.toString()),
      denyOutboundEncryptedConnection: (peerId) => !gate.acceptPeer(peerId.toString()),
      denyInboundRelayReservation: (peerId) => !gate.acceptRelaying(peerId.toString()),
      denyOutboundRelayedConnection: (from, to) =>
        !gate.acceptRelaying(from.toString()) || !gate.acceptRelaying(to.toString()),
      denyInboundRelayedConnection: (relay, from) =>
        !gate.acceptRelaying(relay.toString()) || !gate.acceptPeer(from.toString()),
    },
    connectionManager: {
      maxConnections: connectionsMax,
      inboundConnectionThreshold: inboundPerSecondMax,
      maxIncomingPendingConnections: inboundPerSecondMax,
      dialTimeout: dialTimeoutMs,
    },
    // The control stream has its own heartbeat.
    connectionMonitor: { enabled: false },
    ...(relay && { services: { relay: await relayServer(relay.bytesPerSecond) } }),
    ...(options.mdnsTag !== undefined && {
      peerDiscovery: [
        mdns({ serviceTag: `_eddy-${options.mdnsTag.slice(0, 16)}._udp.local`, interval: lookOnLanEveryMs }),
      ],
    }),
  });
}

/** An IPv4 address as such, however the socket spells it. */
function plain(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
