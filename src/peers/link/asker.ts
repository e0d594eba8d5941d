import { PeerError } from '../failure.ts';
import type { Member } from '../members/member.ts';
import type { FrameMemory } from '../wire/frame-memory.ts';
import { encodeFrame, type Frame, readDataPrefix, readOffset, withId } from '../wire/frames.ts';
import { parseStatus } from '../wire/messages.ts';
import { PeerExchange } from './peer-exchange.ts';

interface AskerOptions {
  readonly member: Member;
  readonly send: (frame: Buffer) => void;
  readonly memory: FrameMemory;
}

/** Requests to one peer at a time; more are not asked of it. */
const exchangesMax = 32;

/** Our requests to one peer. */
export class Asker {
  readonly #options: AskerOptions;
  readonly #exchanges = new Map<number, PeerExchange>();
  #lastId = 0;

  constructor(options: AskerOptions) {
    this.#options = options;
  }

  /** Requests under way. */
  get count(): number {
    return this.#exchanges.size;
  }

  get isFull(): boolean {
    return this.#exchanges.size >= exchangesMax;
  }

  /** `request`: an encoded request. `patient`: see PeerExchange. */
  ask(request: Buffer, patient: boolean): PeerExchange {
    this.#lastId = (this.#lastId + 1) >>> 0;
    const id = this.#lastId;
    const exchange = new PeerExchange(id, { ...this.#options, patient, onEnded: () => this.#exchanges.delete(id) });
    this.#exchanges.set(id, exchange);
    this.#options.member.asked();
    this.#options.send(encodeFrame('request', withId(id, request)));
    return exchange;
  }

  /** Throws PeerError when the peer breaks the protocol. Frames of requests that have ended are passed over. */
  onFrame(frame: Frame): void {
    if (frame.name === 'data') {
      const { id, position, digest } = readDataPrefix(frame.prefix);
      this.#exchanges.get(id)?.onData(position, digest, frame.payload);
      return;
    }
    const payload = frame.payload;
    if (payload.length < 4) throw new PeerError('broken', `a ${frame.name} frame without request id`);
    const exchange = this.#exchanges.get(payload.readUInt32BE());
    const rest = payload.subarray(4);
    switch (frame.name) {
      case 'status':
        return exchange?.onStatus(parseStatus(rest));
      case 'waiting':
        return exchange?.onWaiting(offsetIn(rest));
      case 'end':
        return exchange?.onEnd(offsetIn(rest));
      case 'fail':
        return exchange?.fail(new PeerError('broken', `the peer gave up: ${rest.toString('utf8').slice(0, 200)}`));
      case 'manifest':
        if (exchange !== undefined) exchange.manifest = Buffer.from(rest);
        return;
      default:
        throw new PeerError('broken', `a ${frame.name} frame where none belongs`);
    }
  }

  fail(error: PeerError): void {
    for (const exchange of [...this.#exchanges.values()]) exchange.fail(error);
  }
}

function offsetIn(payload: Buffer): number {
  if (payload.length !== 8) throw new PeerError('broken', `an offset of ${payload.length} bytes`);
  return readOffset(payload, 0);
}
