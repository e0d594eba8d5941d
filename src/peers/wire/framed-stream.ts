import type { Stream } from '@libp2p/interface';
import { Uint8ArrayList } from 'uint8arraylist';
import { PeerError } from '../failure.ts';
import { YamuxStream } from '../transport/yamux-stream.ts';
import type { FrameMemory } from './frame-memory.ts';
import { type Frame, FrameDecoder } from './frames.ts';

interface FramedStreamHandler {
  /** What it throws ends the stream. */
  onFrame(frame: Frame): void;
  /** Once, for whatever reason. */
  onClosed(error: PeerError): void;
}

/** Control frames waiting for a peer that does not read them; beyond it the stream ends. */
const unsentBytesMax = 1024 * 1024;
const earlyFramesMax = 32;
/** Bytes of bodies written in one turn of the event loop: a tenth of a millisecond of work. */
const burstBytesMax = 128 * 1024;

/**
 * Frames on a libp2p stream, for as long as it lives. Both ways are read and written by events: a stream's iterator has
 * no backpressure, and its `onDrain` resolves at once after the first time.
 */
export class FramedStream {
  readonly #stream: Stream;
  readonly #decoder: FrameDecoder;
  #handler: FramedStreamHandler | undefined;
  #early: Frame[] = [];
  #arrived: (() => void) | undefined;
  #closed: PeerError | undefined;
  #drained: PromiseWithResolvers<void> | undefined;
  #turn: Promise<void> = Promise.resolve();
  #burstBytes = 0;

  /** `memory`: for the payload of data frames. */
  constructor(stream: Stream, memory?: FrameMemory) {
    this.#stream = stream;
    this.#decoder = new FrameDecoder((frame) => this.#onFrame(frame), memory);
    if (stream instanceof YamuxStream) stream.readTo((bytes) => this.#onBytes(bytes));
    stream.addEventListener('message', ({ data }) => {
      for (const part of data instanceof Uint8Array ? [data] : data) this.#onBytes(part);
    });
    stream.addEventListener('drain', () => this.#wake());
    stream.addEventListener('close', ({ error }) => this.#end(new PeerError('broken', 'the stream closed', error)));
    stream.addEventListener('remoteCloseWrite', () => this.close(new PeerError('broken', 'the peer ended the stream')));
  }

  /** The first frame, before anybody adopts the stream. Rejects with PeerError when it does not come in time. */
  async first(timeoutMs: number): Promise<Frame> {
    const arrived = Promise.withResolvers<void>();
    const timer = setTimeout(arrived.resolve, timeoutMs);
    this.#arrived = arrived.resolve;
    if (this.#early.length === 0 && this.#closed === undefined) await arrived.promise;
    clearTimeout(timer);
    this.#arrived = undefined;
    const frame = this.#early.shift();
    if (frame !== undefined) return frame;
    throw this.#closed ?? new PeerError('timeout', `nothing came in ${timeoutMs} ms`);
  }

  /** Who handles the frames from now on, and those that came early. */
  adopt(handler: FramedStreamHandler): void {
    this.#handler = handler;
    const early = this.#early;
    this.#early = [];
    if (this.#closed !== undefined) return handler.onClosed(this.#closed);
    try {
      for (const frame of early) handler.onFrame(frame);
    } catch (error) {
      this.close(error instanceof PeerError ? error : new PeerError('broken', 'a frame could not be handled', error));
    }
  }

  /** Whether all that was sent has left for the muxer. */
  get isClear(): boolean {
    return this.#stream.writeBufferLength === 0 && !this.#stream.writableNeedsDrain;
  }

  /** Sends without waiting. Parts are not copied and must not be written to afterwards. */
  send(...parts: readonly Uint8Array[]): void {
    if (this.#closed !== undefined) return;
    try {
      const [first, ...more] = parts;
      if (first === undefined) return;
      // Together they are one frame of the muxer, one write to the socket, and one window update on its way back.
      this.#stream.send(more.length === 0 ? first : new Uint8ArrayList(...parts));
      if (this.#stream.writeBufferLength > unsentBytesMax)
        this.close(new PeerError('timeout', 'the peer does not read what it is sent'));
    } catch (error) {
      this.close(new PeerError('broken', 'the stream could not be written to', error));
    }
  }

  /**
   * Sends when the stream takes more, in the order of the calls, so that all who write get their share and no more than
   * one write is ever held back by the muxer. `make` is called when it is the turn; an empty list sends nothing. Rejects
   * when the stream closes.
   */
  async write(make: () => readonly Uint8Array[]): Promise<void> {
    const before = this.#turn;
    const turn = Promise.withResolvers<void>();
    this.#turn = turn.promise;
    await before;
    try {
      await this.#drainage();
      const parts = make();
      this.send(...parts);
      for (const part of parts) this.#burstBytes += part.length;
      if (this.#burstBytes >= burstBytesMax) await this.#rest();
    } finally {
      turn.resolve();
    }
  }

  close(error: PeerError): void {
    if (this.#closed !== undefined) return;
    this.#stream.abort(error);
    this.#end(error);
  }

  #onBytes(bytes: Uint8Array): void {
    if (this.#closed !== undefined) return;
    try {
      this.#decoder.push(bytes);
    } catch (error) {
      this.close(error instanceof PeerError ? error : new PeerError('broken', 'a frame could not be handled', error));
    }
  }

  #onFrame(frame: Frame): void {
    if (this.#handler !== undefined) return this.#handler.onFrame(frame);
    if (this.#early.length >= earlyFramesMax)
      throw new PeerError('broken', 'too many frames before the handshake is done');
    this.#early.push(frame);
    this.#arrived?.();
  }

  #end(error: PeerError): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    this.#wake();
    this.#arrived?.();
    this.#handler?.onClosed(error);
  }

  async #drainage(): Promise<void> {
    for (;;) {
      if (this.#closed !== undefined) throw this.#closed;
      if (!this.#stream.writableNeedsDrain) return;
      this.#drained ??= Promise.withResolvers<void>();
      await this.#drained.promise;
    }
  }

  /** What is written is encrypted at once: viewers' turn comes in between. */
  async #rest(): Promise<void> {
    this.#burstBytes = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }

  #wake(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }
}
