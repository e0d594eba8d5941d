import { type Connection, type Libp2p, type Stream, UnsupportedProtocolError } from '@libp2p/interface';
import { messageOf } from '../../errors.ts';
import { ExpiringSet } from '../../expiring-set.ts';
import type { Log } from '../../log.ts';
import { type Greeting, helloTimeoutMs, StrangerError, welcome } from '../cell/handshake.ts';
import { PeerError } from '../failure.ts';
import type { Link } from '../link/link.ts';
import type { MemberState } from '../members/member.ts';
import { relayIn } from '../transport/address-parts.ts';
import type { HostGate } from '../transport/host.ts';
import { FramedStream } from '../wire/framed-stream.ts';
import type { Hello } from '../wire/messages.ts';
import { Refusals } from './refusals.ts';

export const controlProtocol = '/eddy/control/2';
export const bulkProtocol = '/eddy/bulk/2';

/** A connection whose other end proved to be a member. */
export interface Proven {
  readonly hello: Hello;
  readonly expiresMs: number;
  readonly control: FramedStream;
  readonly connection: Connection;
  readonly dialled: boolean;
}

interface ReceptionOptions {
  readonly greeting: Greeting;
  readonly log: Log;
  readonly stateOf: (peerId: string) => MemberState | undefined;
  readonly linkOf: (peerId: string) => Link | undefined;
  readonly onProven: (proven: Proven) => void;
}

const graceMs = 500;
/** How often the log says that a peer speaks another version, which is tried again all the time. */
const toldEveryMs = 10 * 60_000;
const toldMax = 256;

/** Lets members in. Whoever does not prove to be one in time is cut off before anything else is said, and remembered. */
export class Reception implements HostGate {
  readonly #options: ReceptionOptions;
  readonly #refusals = new Refusals(Date.now);
  readonly #otherVersions = new ExpiringSet({ forMs: toldEveryMs, namesMax: toldMax, nowMs: Date.now });

  constructor(options: ReceptionOptions) {
    this.#options = options;
  }

  acceptAddress(address: string): boolean {
    // Without a credential that counts this node has nobody to let in.
    const isMember = this.#options.greeting.membership.fault(Date.now()) === undefined;
    return isMember && !this.#refusals.refusesAddress(address);
  }

  acceptPeer(peerId: string): boolean {
    return !this.#refusals.refusesPeer(peerId) && this.#options.stateOf(peerId) !== 'quarantined';
  }

  acceptRelaying(peerId: string): boolean {
    const link = this.#options.linkOf(peerId);
    return link !== undefined && link.relay === undefined && this.acceptPeer(peerId);
  }

  async open(host: Libp2p): Promise<void> {
    host.addEventListener('connection:open', ({ detail }) => this.#onConnection(detail));
    const limits = { maxInboundStreams: 1 };
    await host.handle(controlProtocol, (stream, connection) => this.#onControl(stream, connection), limits);
    await host.handle(bulkProtocol, (stream, connection) => this.#onBulk(stream, connection), limits);
  }

  /** A member was met there. */
  clear(connection: Connection): void {
    this.#refusals.clear(connection.remotePeer.toString(), ipOf(connection));
  }

  /** Whoever was dialled and shows to be no member is not dialled again for a while. */
  onStranger(peerId: string, error: unknown): void {
    const about = { peer: peerId, reason: messageOf(error) };
    if (error instanceof UnsupportedProtocolError && !this.#otherVersions.has(peerId)) {
      this.#otherVersions.add(peerId);
      this.#options.log.warn(
        about,
        `a peer speaks another version of the protocol, not ${controlProtocol}: it is not asked`,
      );
    }
    if (!(error instanceof StrangerError)) return this.#options.log.debug(about, 'a peer was not taken');
    this.#options.log.info(about, 'refused a peer');
    this.#refusals.add(peerId, undefined, 'stranger');
  }

  #onConnection(connection: Connection): void {
    if (connection.direction !== 'inbound') return;
    const peerId = connection.remotePeer.toString();
    const timer = setTimeout(() => {
      if (this.#options.linkOf(peerId) === undefined)
        this.#refuse(connection, new PeerError('timeout', 'no proof of membership, or another version'));
    }, helloTimeoutMs + graceMs);
    connection.addEventListener('close', () => clearTimeout(timer));
  }

  async #onControl(stream: Stream, connection: Connection): Promise<void> {
    const control = new FramedStream(stream);
    try {
      const shown = await welcome(control, connection.remotePeer.toString(), this.#options.greeting);
      this.clear(connection);
      this.#options.onProven({ ...shown, control, connection, dialled: false });
    } catch (error) {
      this.#refuse(connection, error);
    }
  }

  #onBulk(stream: Stream, connection: Connection): void {
    const link = this.#options.linkOf(connection.remotePeer.toString());
    if (link === undefined) return this.#refuse(connection, new PeerError('broken', 'bulk without membership'));
    if (link.dialled) connection.abort(new PeerError('broken', 'the bulk stream is opened by the other side'));
    else link.attachBulk(stream, connection);
  }

  #refuse(connection: Connection, error: unknown): void {
    const reason = messageOf(error);
    const peerId = connection.remotePeer.toString();
    const state = this.#options.stateOf(peerId);
    connection.abort(new PeerError('broken', reason));
    // Two members that dial each other at once break off one attempt.
    if (state === 'up' || state === 'suspect') return;
    this.#options.log.info({ peer: peerId, reason }, 'refused a peer');
    this.#refusals.add(peerId, ipOf(connection), error instanceof StrangerError ? 'stranger' : 'silent');
  }
}

/** Undefined for what comes by a relay: the address is the relay's. */
function ipOf({ remoteAddr }: Connection): string | undefined {
  if (relayIn(remoteAddr.toString()) !== undefined) return undefined;
  return remoteAddr.getComponents().find(({ name }) => name === 'ip4' || name === 'ip6')?.value;
}
