import type { Libp2p } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { messageOf } from '../../errors.ts';
import { type Greeting, greet, StrangerError } from '../cell/handshake.ts';
import { PeerError } from '../failure.ts';
import type { Link } from '../link/link.ts';
import type { Member } from '../members/member.ts';
import { peerIdIn, relayIn } from '../transport/address-parts.ts';
import { FramedStream } from '../wire/framed-stream.ts';
import { Dials } from './dials.ts';
import { KnownAddresses } from './known-addresses.ts';
import { bulkProtocol, controlProtocol, type Proven } from './reception.ts';

interface DiallerOptions {
  readonly selfId: string;
  readonly bootstrap: readonly string[];
  readonly greeting: Greeting;
  readonly linkOf: (peerId: string) => Link | undefined;
  /** Whether members are dialled by relays. */
  readonly areRelaysUsed: () => boolean;
  /** Undefined when there is a better link already; the connection is closed then. */
  readonly onProven: (proven: Proven) => Link | undefined;
  /** Whoever was dialled and is no member. */
  readonly onStranger: (peerId: string, error: unknown) => void;
  readonly signal: AbortSignal;
}

/** Of two that learn of each other at once, one waits so that both do not dial. */
const politeMs = 600;
/** When a direct way is looked for to a member that is reached by a relay, and how often at least. */
const straightenAfterMs = 1_000;
const straightenMsMax = 60_000;

/** Dials members that are not linked, and addresses where members may be found. */
export class Dialler {
  readonly #options: DiallerOptions;
  readonly #dials = new Dials(Date.now, Math.random);
  readonly #knownAddresses: KnownAddresses;
  /** What `leadsTo` says of it. libp2p makes one connection of two dials at once, which each would take for its own, and close. */
  readonly #dialling = new Set<string>();

  constructor(options: DiallerOptions) {
    this.#options = options;
    this.#knownAddresses = new KnownAddresses(options.selfId, options.bootstrap);
  }

  /** Begins what is due. */
  tick(host: Libp2p, members: readonly Member[]): void {
    const { selfId, linkOf } = this.#options;
    for (const member of members) {
      const { peerId, state } = member;
      const link = linkOf(peerId);
      if (member.addresses.length === 0 || state === 'quarantined' || (link !== undefined && link.relay === undefined))
        continue;
      if (this.#dialling.has(peerId)) continue;
      if (link === undefined) {
        const delayMs = peerId < selfId ? politeMs : 0;
        this.#dials.attempt(peerId, () => this.#reach(host, member), { delayMs });
      } else {
        // By a relay only while there is no other way.
        const [direct] = addressesOf(member);
        const pauses = { delayMs: straightenAfterMs, pauseMsMax: straightenMsMax };
        if (direct.length > 0) this.#dials.attempt(`direct ${peerId}`, () => this.#dial(host, direct), pauses);
      }
    }
    const isLinked = (peerId: string): boolean => linkOf(peerId) !== undefined;
    for (const address of this.#knownAddresses.toDial(isLinked))
      if (!this.#dialling.has(leadsTo(address))) this.#dials.attempt(address, () => this.#knock(host, address));
  }

  /** Seen on the LAN. */
  seen(peerId: string, addresses: readonly string[]): void {
    this.#knownAddresses.seen(peerId, addresses);
  }

  /** It is linked: should that end, it is dialled at once. */
  linked(peerId: string): void {
    this.#dials.forget(peerId);
    this.#dials.forget(`direct ${peerId}`);
  }

  /** Directly if that can be, else by a relay. */
  async #reach(host: Libp2p, member: Member): Promise<void> {
    const [direct, relayed] = addressesOf(member);
    try {
      if (direct.length === 0) throw new PeerError('broken', 'it has no address of its own');
      await this.#dial(host, direct);
    } catch (error) {
      const { linkOf, areRelaysUsed } = this.#options;
      if (
        relayed.length === 0 ||
        !areRelaysUsed() ||
        error instanceof StrangerError ||
        linkOf(member.peerId) !== undefined
      )
        throw error;
      await this.#dial(host, relayed);
    }
  }

  async #knock(host: Libp2p, address: string): Promise<void> {
    try {
      this.#knownAddresses.reached(address, await this.#dial(host, [address]));
    } catch (error) {
      if (messageOf(error).includes('dial self')) this.#knownAddresses.reached(address, this.#options.selfId);
      throw error;
    }
  }

  /** Addresses of one peer. Resolves to its peer id, once it is linked. */
  async #dial(host: Libp2p, addresses: readonly string[]): Promise<string> {
    const named = leadsTo(addresses[0] ?? '');
    this.#dialling.add(named);
    try {
      return await this.#link(host, addresses);
    } finally {
      this.#dialling.delete(named);
    }
  }

  async #link(host: Libp2p, addresses: readonly string[]): Promise<string> {
    const { signal, greeting, linkOf, onProven, onStranger } = this.#options;
    const where = addresses.map((address) => multiaddr(address));
    const connection = await host.dial(where, { signal, force: true });
    const peerId = connection.remotePeer.toString();
    const link = linkOf(peerId);
    const isRelayed = relayIn(connection.remoteAddr.toString()) !== undefined;
    if (link !== undefined && (link.relay === undefined || isRelayed)) {
      await connection.close();
      return peerId;
    }
    try {
      const control = new FramedStream(await connection.newStream([controlProtocol], { signal }));
      const shown = await greet(control, peerId, greeting);
      const opened = onProven({ ...shown, control, connection, dialled: true });
      if (opened === undefined) return peerId;
      const bulk = await host.dial(where, { signal, force: true });
      opened.attachBulk(await bulk.newStream([bulkProtocol], { signal }), bulk);
      return peerId;
    } catch (error) {
      connection.abort(new PeerError('broken', messageOf(error)));
      onStranger(peerId, error);
      throw error;
    }
  }
}

/** A peer id, or the address itself where it does not tell. */
function leadsTo(address: string): string {
  return peerIdIn(address) ?? address;
}

/** Its addresses with its peer id: those of its own, and those that lead through a relay. */
function addressesOf({ peerId, addresses }: Member): readonly [direct: string[], relayed: string[]] {
  const all = addresses.map((address) => `${address}/p2p/${peerId}`);
  const isRelayed = (address: string): boolean => relayIn(address) !== undefined;
  return [all.filter((address) => !isRelayed(address)), all.filter(isRelayed)];
}
