import type { Libp2p } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { Dials } from './dials.ts';
import { Doors } from './doors.ts';
import { PeerError, reasonOf } from './failure.ts';
import { FramedStream } from './framed-stream.ts';
import { type Greeting, greet } from './handshake.ts';
import type { Link } from './link.ts';
import type { Member } from './member.ts';
import { bulkProtocol, controlProtocol, type Proven } from './reception.ts';

export interface DiallerOptions {
  readonly selfId: string;
  readonly bootstrap: readonly string[];
  readonly greeting: Greeting;
  readonly isLinked: (peerId: string) => boolean;
  /** Undefined when there is a better link already; the connection is closed then. */
  readonly onProven: (proven: Proven) => Link | undefined;
  /** Whoever was dialled and is no member. */
  readonly onStranger: (peerId: string, error: unknown) => void;
  readonly signal: AbortSignal;
}

/** Of two that learn of each other at once, one waits so that both do not dial. */
const politeMs = 600;

/** Dials members that are not linked, and addresses where members may be found. */
export class Dialler {
  readonly #options: DiallerOptions;
  readonly #dials = new Dials(Date.now, Math.random);
  readonly #doors: Doors;

  constructor(options: DiallerOptions) {
    this.#options = options;
    this.#doors = new Doors(options.selfId, options.bootstrap);
  }

  /** Begins what is due. */
  tick(host: Libp2p, members: readonly Member[]): void {
    const { selfId, isLinked } = this.#options;
    for (const { peerId, addresses, state } of members) {
      if (isLinked(peerId) || addresses.length === 0 || state === 'quarantined') continue;
      const polite = peerId < selfId ? politeMs : 0;
      const where = addresses.map((address) => `${address}/p2p/${peerId}`);
      this.#dials.attempt(peerId, () => this.#dial(host, where), polite);
    }
    for (const address of this.#doors.closed(isLinked)) this.#dials.attempt(address, () => this.#knock(host, address));
  }

  /** Seen on the LAN. */
  seen(peerId: string, addresses: readonly string[]): void {
    this.#doors.seen(peerId, addresses);
  }

  /** It is linked: should that end, it is dialled at once. */
  linked(peerId: string): void {
    this.#dials.forget(peerId);
  }

  async #knock(host: Libp2p, address: string): Promise<void> {
    try {
      this.#doors.opened(address, await this.#dial(host, [address]));
    } catch (error) {
      if (reasonOf(error).includes('dial self')) this.#doors.opened(address, this.#options.selfId);
      throw error;
    }
  }

  /** Resolves to the peer id found there, once it is linked. */
  async #dial(host: Libp2p, addresses: readonly string[]): Promise<string> {
    const { signal, greeting, isLinked, onProven, onStranger } = this.#options;
    const where = addresses.map((address) => multiaddr(address));
    const connection = await host.dial(where, { signal, force: true });
    const peerId = connection.remotePeer.toString();
    if (isLinked(peerId)) {
      await connection.close();
      return peerId;
    }
    try {
      const control = new FramedStream(await connection.newStream([controlProtocol], { signal }));
      const shown = await greet(control, peerId, greeting);
      const link = onProven({ ...shown, control, connection, dialled: true });
      if (link === undefined) return peerId;
      const bulk = await host.dial(where, { signal, force: true });
      link.attachBulk(await bulk.newStream([bulkProtocol], { signal }), bulk);
      return peerId;
    } catch (error) {
      connection.abort(new PeerError('broken', reasonOf(error)));
      onStranger(peerId, error);
      throw error;
    }
  }
}
