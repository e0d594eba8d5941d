import { AsyncLocalStorage } from 'node:async_hooks';
import type { circuitRelayServer } from '@libp2p/circuit-relay-v2';
import type { Connection, Stream } from '@libp2p/interface';
import { overridden } from './bulk-connections.ts';

type Registrar = Parameters<ReturnType<typeof circuitRelayServer>>[0]['registrar'];

/** Bytes of that many seconds may go at once after a pause. */
const burstMs = 250;
const checkMs = 20;
/** Of one direction, waiting for a receiver that is slower; it is read no further before they have gone. */
const unsentBytesMax = 256 * 1024;

/**
 * What this node relays: read no faster than the rate allows and the other end takes. The library, which does the
 * copying, would keep any amount in memory.
 */
export class RelayedFlows {
  readonly #bytesPerSecond: number;
  /** The stream of who asks for a connection, while it is being made. */
  readonly #asking = new AsyncLocalStorage<Stream>();
  #paidUntilMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** A registrar that remembers who asks while a handler runs. */
  noting(registrar: Registrar): Registrar {
    const handle: Registrar['handle'] = (protocol, handler, options) =>
      registrar.handle(protocol, (stream, from) => this.#asking.run(stream, () => handler(stream, from)), options);
    return overridden(registrar, { handle });
  }

  /** A connection whose streams are the other half of the one that asks. */
  joining(connection: Connection): Connection {
    const newStream: Connection['newStream'] = async (protocols, options) => {
      const to = await connection.newStream(protocols, options);
      const from = this.#asking.getStore();
      if (from !== undefined) this.join(from, to);
      return to;
    };
    return overridden(connection, { newStream });
  }

  /** Both directions between them are held to the bounds from now on. */
  join(one: Stream, other: Stream): void {
    this.#hold(one, other);
    this.#hold(other, one);
  }

  #hold(from: Stream, to: Stream): void {
    const resume = (): void => {
      if (from.readStatus !== 'paused' || to.status !== 'open') return;
      if (to.writeBufferLength >= unsentBytesMax) setTimeout(resume, checkMs).unref();
      else from.resume();
    };
    from.addEventListener('message', ({ data }) => {
      const waitMs = this.#take(data.byteLength, performance.now());
      if (from.readStatus !== 'readable' || (waitMs <= checkMs && to.writeBufferLength < unsentBytesMax)) return;
      from.pause();
      setTimeout(resume, Math.max(checkMs, waitMs)).unref();
    });
  }

  /** How long to wait after these bytes. */
  #take(bytes: number, nowMs: number): number {
    this.#paidUntilMs = Math.max(this.#paidUntilMs, nowMs - burstMs) + (bytes / this.#bytesPerSecond) * 1_000;
    return this.#paidUntilMs - nowMs;
  }
}
