import type { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { type PeerId, type Startable, type Transport, transportSymbol } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { PeerError } from '../failure.ts';
import { relayIn } from './address-parts.ts';
import { byBulk, overridden } from './bulk-connections.ts';
import { RelayedFlows } from './relayed-flow.ts';

type TransportComponents = Parameters<ReturnType<typeof circuitRelayTransport>>[0];
type ServerFactory = ReturnType<typeof circuitRelayServer>;

/** The library's transport, with what it does not show: reservations on relays that are known. */
interface CircuitTransport extends Transport, Startable {
  readonly reservationStore: {
    addRelay(peerId: PeerId, type: 'configured'): Promise<unknown>;
    hasReservation(peerId: PeerId): boolean;
  };
}

const reservationsMax = 64;
const streamsMax = 128;

/**
 * Circuit relay v2, the library's, fitted to a cell: loaded by who needs it, what is relayed goes by the bulk
 * connections in bounded rate and memory, and nobody is looked for beyond the cell.
 */
export class Circuits {
  #components: TransportComponents | undefined;
  #opening: Promise<CircuitTransport> | undefined;
  #transport: CircuitTransport | undefined;

  /** Whether this node uses relays. */
  get isOpen(): boolean {
    return this.#transport !== undefined;
  }

  /** Reserves on a relay that this node is linked with. Rejects when it refuses. */
  async reserve(relayId: string): Promise<void> {
    const { reservationStore } = await this.#open();
    await reservationStore.addRelay(peerIdFromString(relayId), 'configured');
  }

  hasReservation(relayId: string): boolean {
    return this.#transport?.reservationStore.hasReservation(peerIdFromString(relayId)) ?? false;
  }

  /** For `createLibp2p`. */
  readonly transport = (components: TransportComponents): Transport & Startable => {
    this.#components = components;
    return {
      [Symbol.toStringTag]: 'eddy-circuits',
      [transportSymbol]: true,
      dial: async (address, options) => (await this.#open()).dial(address, options),
      createListener: () => {
        throw new PeerError('broken', 'relays are reserved on, not listened to');
      },
      listenFilter: () => [],
      dialFilter: (addresses) => addresses.filter((address) => relayIn(address.toString()) !== undefined),
      start: () => {},
      stop: async () => this.#transport?.stop(),
    };
  };

  #open(): Promise<CircuitTransport> {
    this.#opening ??= this.#load();
    return this.#opening;
  }

  async #load(): Promise<CircuitTransport> {
    const components = this.#components;
    if (components === undefined) throw new PeerError('aborted', 'not started');
    const library = await import('@libp2p/circuit-relay-v2');
    const limits = { maxInboundStopStreams: streamsMax, maxOutboundStopStreams: streamsMax };
    const connectionManager = byBulk(components.connectionManager);
    const transport = library.circuitRelayTransport(limits)(overridden(components, { connectionManager }));
    await (transport as CircuitTransport).start();
    this.#transport = transport as CircuitTransport;
    return this.#transport;
  }
}

/** For `createLibp2p`: relays for others, that many bytes a second altogether. */
export async function relayServer(bytesPerSecond: number): Promise<ServerFactory> {
  const library = await import('@libp2p/circuit-relay-v2');
  const flows = new RelayedFlows(bytesPerSecond);
  const serve = library.circuitRelayServer({
    // What is relayed is bounded in rate, and ends with the link to either side.
    reservations: { maxReservations: reservationsMax, applyDefaultLimit: false },
    maxInboundHopStreams: streamsMax,
    maxOutboundStopStreams: streamsMax,
  });
  return (components) =>
    serve(
      overridden(components, {
        registrar: flows.noting(components.registrar),
        connectionManager: byBulk(components.connectionManager, (connection) => flows.joining(connection)),
      }),
    );
}
