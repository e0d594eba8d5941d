import type { Logger, MessageStreamDirection } from '@libp2p/interface';
import { AbstractStream } from '@libp2p/utils';
import { PeerError } from '../failure.ts';
import { yamuxFlags, yamuxTypes } from './yamux-header.ts';

/** Sends a frame of a stream. False: the connection is to drain first. */
type SendYamuxFrame = (frame: { type: number; flags: number; length: number }, data?: SentData) => boolean;
type SentData = Parameters<AbstractStream['sendData']>[0];
type Sent = ReturnType<AbstractStream['sendData']>;

/**
 * Bytes that may come before the other side is allowed more. The first of the two is part of the wire format: other ends
 * count on it, and a larger one here would overrun them.
 */
export const initialWindowBytes = 256 * 1024;
export const windowBytesMax = 2 * 1024 * 1024;
/** Received and not read, sent and not taken; beyond it the stream is reset, and not kept in memory. */
export const bufferedBytesMax = 4 * 1024 * 1024;

interface YamuxStreamInit {
  readonly id: number;
  readonly direction: MessageStreamDirection;
  readonly log: Logger;
  readonly send: SendYamuxFrame;
}

/** A stream of a YamuxSession. */
export class YamuxStream extends AbstractStream {
  readonly number: number;
  readonly #send: SendYamuxFrame;
  /** Of the next frame: the first one opens the stream, or says that it is taken. */
  #flags: number;
  #sendWindow = initialWindowBytes;
  #receiveWindow = initialWindowBytes;
  /** As it is after an update. Larger once bytes are read as they come: what waits for its reader stays small. */
  #windowBytes = initialWindowBytes;
  #reader: ((bytes: Buffer) => void) | undefined;

  constructor({ id, direction, log, send }: YamuxStreamInit) {
    const bounds = { maxReadBufferLength: bufferedBytesMax, maxWriteBufferLength: bufferedBytesMax };
    super({ id: `${id}`, direction, log, ...bounds });
    this.number = id;
    this.#send = send;
    this.#flags = direction === 'outbound' ? yamuxFlags.syn : yamuxFlags.ack;
  }

  /** Bytes as they come, besides those that were kept before, which `message` events bring. Valid until it returns. */
  readTo(reader: (bytes: Buffer) => void): void {
    this.#reader = reader;
    this.#windowBytes = windowBytesMax;
    this.#allowMore();
  }

  /** Tells the other side of this stream. */
  open(): void {
    this.#allowMore();
  }

  /** A data frame of that length begins. Throws PeerError when it is more than was allowed. */
  onFrame(length: number): void {
    if (length > this.#receiveWindow)
      throw new PeerError('broken', `${length} bytes on a stream where ${this.#receiveWindow} are allowed`);
    this.#receiveWindow -= length;
  }

  /** Bytes of a data frame, whose memory is used again. */
  onBytes(bytes: Buffer): void {
    if (this.#reader !== undefined && this.readStatus === 'readable' && this.readBuffer.byteLength === 0)
      this.#reader(bytes);
    else this.onData(Buffer.from(bytes));
    if (this.#receiveWindow <= this.#windowBytes / 2) this.#allowMore();
  }

  onWindowUpdate(bytes: number): void {
    this.#sendWindow += bytes;
    if (this.writeBuffer.byteLength > 0) this.safeDispatchEvent('drain');
  }

  override sendData(data: SentData): Sent {
    const sentBytes = Math.min(this.#sendWindow, data.byteLength);
    if (sentBytes === 0) return { sentBytes, canSendMore: false };
    const isAll = sentBytes === data.byteLength;
    this.#sendWindow -= sentBytes;
    const canSendMore = this.#frame(
      { type: yamuxTypes.data, length: sentBytes },
      isAll ? data : data.sublist(0, sentBytes),
    );
    return { sentBytes, canSendMore: canSendMore && isAll };
  }

  override sendReset(): void {
    this.#frame({ type: yamuxTypes.windowUpdate, flags: yamuxFlags.rst });
  }

  override sendPause(): void {}

  override sendResume(): void {
    if (this.#receiveWindow <= this.#windowBytes / 2) this.#allowMore();
  }

  override async sendCloseWrite(): Promise<void> {
    this.#frame({ type: yamuxTypes.windowUpdate, flags: yamuxFlags.fin });
  }

  /** yamux has no word for it. */
  override async sendCloseRead(): Promise<void> {}

  #allowMore(): void {
    // What is not read takes no more than its window.
    if (this.status !== 'open' || this.readStatus === 'paused') return;
    const length = this.#windowBytes - this.#receiveWindow;
    this.#receiveWindow = this.#windowBytes;
    this.#frame({ type: yamuxTypes.windowUpdate, length });
  }

  #frame({ type, flags = 0, length = 0 }: { type: number; flags?: number; length?: number }, data?: SentData): boolean {
    const first = this.#flags;
    this.#flags = 0;
    return this.#send({ type, flags: flags | first, length }, data);
  }
}
