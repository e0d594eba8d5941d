import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { Responder, type ResponderOptions } from '../answer/responder.ts';
import { expiryFault } from '../cell/credential.ts';
import { PeerError } from '../failure.ts';
import type { Member } from '../members/member.ts';
import { relayIn } from '../transport/address-parts.ts';
import { FrameMemory } from '../wire/frame-memory.ts';
import { FramedStream } from '../wire/framed-stream.ts';
import { encodeFrame, type Frame } from '../wire/frames.ts';
import { Asker } from './asker.ts';

interface LinkOptions {
  readonly member: Member;
  readonly dialled: boolean;
  readonly connection: Connection;
  /** When the member's credential expires. */
  readonly expiresMs: number;
  readonly control: FramedStream;
  readonly responder: ResponderOptions;
  /** Gossip, digests and announcements. What it throws ends the link. */
  readonly onNews: (frame: Frame) => void;
  readonly onClosed: (error: PeerError) => void;
}

/** A pong later than this makes the peer suspect; one later than the second ends the link. */
const suspectAfterMs = 1_500;
const deadAfterMs = 6_000;
const bulkWaitMs = 6_000;
const retireMsMax = 20_000;
const retireCheckMs = 250;

/**
 * The two connections with one member, whose proof of membership is done: control for small messages, bulk for bodies,
 * apart so that no message waits behind a body.
 */
export class Link {
  readonly member: Member;
  readonly dialled: boolean;
  /** The peer id of the relay it goes through; undefined: it is direct. */
  readonly relay: string | undefined;
  readonly asker: Asker;
  /** When the member's credential expires; later once it has shown another. */
  expiresMs: number;
  readonly #options: LinkOptions;
  readonly #connection: Connection;
  readonly #control: FramedStream;
  readonly #responder: Responder;
  readonly #memory = new FrameMemory();
  readonly #bulkOpen = Promise.withResolvers<FramedStream>();
  #bulk: { readonly stream: FramedStream; readonly connection: Connection } | undefined;
  #closed = false;
  #pingSentMs: number | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#connection = options.connection;
    this.member = options.member;
    this.dialled = options.dialled;
    this.relay = relayIn(options.connection.remoteAddr.toString());
    this.expiresMs = options.expiresMs;
    this.#bulkOpen.promise.catch(() => {});
    this.#control = options.control;
    const send = (...frames: readonly Buffer[]) => this.#control.send(...frames);
    const isClear = () => this.#control.isClear;
    this.asker = new Asker({ member: this.member, send, memory: this.#memory });
    this.#responder = new Responder({ member: this.member, send, isClear, bulk: () => this.bulk() }, options.responder);
  }

  /** From now on frames are handled, those that came early first; so it may close before this returns. */
  start(): void {
    this.#adopt(this.#control);
    void this.bulk().catch((error) => this.close(error));
  }

  /** Answers that this node is giving. */
  get answering(): number {
    return this.#responder.count;
  }

  /** As this node sees it. */
  get remoteAddress(): Multiaddr {
    return this.#connection.remoteAddr;
  }

  /** Whether bodies have a connection of their own already. */
  get isWhole(): boolean {
    return this.#bulk !== undefined;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** The dialling side opens the bulk stream; the other one waits for it. */
  attachBulk(stream: Stream, connection: Connection): void {
    if (this.#bulk !== undefined || this.#closed) {
      stream.abort(new PeerError('broken', 'there is a bulk stream already'));
      return;
    }
    const framed = new FramedStream(stream, this.#memory);
    this.#bulk = { stream: framed, connection };
    this.#adopt(framed);
    this.#bulkOpen.resolve(framed);
  }

  async bulk(): Promise<FramedStream> {
    if (this.#bulk !== undefined) return this.#bulk.stream;
    const timer = setTimeout(
      () => this.#bulkOpen.reject(new PeerError('timeout', 'no bulk stream was opened')),
      bulkWaitMs,
    );
    try {
      return await this.#bulkOpen.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  send(...frames: readonly Buffer[]): void {
    this.#control.send(...frames);
  }

  /**
   * Called about once a second: measures the round trip, and notices a peer that no longer answers. `news`: frames that are
   * sent along.
   */
  beat(nowMs: number, news: readonly Buffer[] = []): void {
    const fault = expiryFault(this.expiresMs, nowMs);
    if (fault !== undefined) return this.close(new PeerError('aborted', `its credential does not count: ${fault}`));
    if (this.#pingSentMs === undefined) {
      this.#pingSentMs = performance.now();
      const payload = Buffer.alloc(8);
      payload.writeDoubleBE(this.#pingSentMs);
      return this.send(encodeFrame('ping', payload), ...news);
    }
    this.send(...news);
    const silentMs = performance.now() - this.#pingSentMs;
    if (silentMs > deadAfterMs) this.close(new PeerError('timeout', `no answer for ${Math.round(silentMs)} ms`));
    else if (silentMs > suspectAfterMs && this.member.state === 'up')
      this.member.enter('suspect', `no answer for ${Math.round(silentMs)} ms`, nowMs);
  }

  /** Another link takes its place: what is under way on it comes to its end, within limits. */
  async retire(error: PeerError): Promise<void> {
    for (let leftMs = retireMsMax; leftMs > 0 && this.answering + this.asker.count > 0; leftMs -= retireCheckMs)
      await sleep(retireCheckMs, undefined, { ref: false });
    this.close(error);
  }

  close(error: PeerError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#bulkOpen.reject(error);
    this.asker.fail(error);
    this.#responder.close(error);
    this.#control.close(error);
    this.#bulk?.stream.close(error);
    for (const connection of [this.#connection, this.#bulk?.connection])
      connection?.close().catch(() => connection.abort(error));
    this.#options.onClosed(error);
  }

  #adopt(stream: FramedStream): void {
    stream.adopt({ onFrame: (frame) => this.#onFrame(frame), onClosed: (error) => this.close(error) });
  }

  #onFrame(frame: Frame): void {
    switch (frame.name) {
      case 'ping':
        return this.send(encodeFrame('pong', pingPayload(frame)));
      case 'pong':
        return this.#onPong(frame);
      case 'request':
        return this.#responder.onRequest(frame.payload);
      case 'credit':
      case 'cancel':
        return this.#responder.onControl(frame.name, frame.payload);
      case 'members':
      case 'digest':
      case 'digestChanges':
      case 'announcement':
      case 'credential':
      case 'leaving':
      case 'probe':
      case 'probed':
        return this.#options.onNews(frame);
      case 'hello':
        throw new PeerError('broken', 'a second hello');
      default:
        return this.asker.onFrame(frame);
    }
  }

  #onPong(frame: Frame): void {
    const sentMs = pingPayload(frame).readDoubleBE();
    if (sentMs !== this.#pingSentMs) throw new PeerError('broken', 'a pong to no ping');
    this.#pingSentMs = undefined;
    this.member.pong(Math.max(0.01, performance.now() - sentMs), Date.now());
  }
}

function pingPayload(frame: Frame): Buffer {
  const payload = frame.payload;
  if (payload.length !== 8) throw new PeerError('broken', `a ${frame.name} of ${payload.length} bytes`);
  return payload;
}
