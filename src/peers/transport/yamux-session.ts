import type { MessageStream, MessageStreamDirection, StreamMuxerFactory } from '@libp2p/interface';
import { AbstractStreamMuxer } from '@libp2p/utils';
import { PeerError } from '../failure.ts';
import { TlsConnection } from './tls-connection.ts';
import {
  decodeYamuxHeader,
  encodeYamuxHeader,
  goAwayCodes,
  type YamuxHeader,
  yamuxFlags,
  yamuxHeaderBytes,
  yamuxTypes,
} from './yamux-header.ts';
import { YamuxStream } from './yamux-stream.ts';

type Incoming = Parameters<AbstractStreamMuxer['onData']>[0];

const protocol = '/yamux/1.0.0';
/** Each way: one of each protocol of Eddy, and what is relayed. */
export const streamsMax = 128;
/** Of a connection on which more waits to be sent, nobody is answered: who asks and does not read is left. */
const unsentBytesMax = 1024 * 1024;

/** For connections of TlsTransport. */
export const yamuxSessions: StreamMuxerFactory = {
  protocol,
  createStreamMuxer: (connection) => new YamuxSession(connection),
};

/**
 * yamux for bodies: nothing is kept that can be handed on. Bytes of a stream go to its reader as they come, out of the
 * memory that all connections are read into; the library waits for the whole frame, as a list of buffers made for each
 * TLS record. A stream's window is filled up when half of it is used, and not after each frame.
 */
class YamuxSession extends AbstractStreamMuxer<YamuxStream> {
  readonly #connection: TlsConnection;
  readonly #header = Buffer.alloc(yamuxHeaderBytes);
  #headerLength = 0;
  /** The data frame whose bytes come next: its stream, unless that is closed, its flags, and how many are to come. */
  #frame: { readonly stream: YamuxStream | undefined; readonly flags: number } | undefined;
  #missing = 0;
  #nextId: number;

  constructor(connection: MessageStream) {
    super(connection, { protocol, name: 'yamux' });
    if (!(connection instanceof TlsConnection)) throw new TypeError('a session needs a TLS socket');
    this.#connection = connection;
    this.#nextId = connection.direction === 'outbound' ? 1 : 2;
    connection.readTo((bytes) => this.#take(bytes));
  }

  /** What came before this session was made. */
  override onData(data: Incoming): void {
    for (const bytes of data instanceof Uint8Array ? [data] : data)
      this.#take(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  override onCreateStream(): YamuxStream {
    if (this.#count('outbound') >= streamsMax) throw new PeerError('broken', `more than ${streamsMax} streams`);
    const stream = this.#newStream(this.#nextId, 'outbound');
    this.#nextId += 2;
    // Once it is in the list of streams.
    queueMicrotask(() => stream.open());
    return stream;
  }

  override async close(...options: Parameters<AbstractStreamMuxer['close']>): Promise<void> {
    if (this.status !== 'open') return;
    await super.close(...options);
    this.#send({ type: yamuxTypes.goAway, flags: 0, id: 0, length: goAwayCodes.normal });
  }

  override abort(error: Error): void {
    if (this.status !== 'open') return;
    super.abort(error);
    this.#send({ type: yamuxTypes.goAway, flags: 0, id: 0, length: goAwayCodes.internalError });
  }

  /** What they break the protocol with ends the connection. */
  #take(bytes: Buffer): void {
    try {
      this.#push(bytes);
    } catch (error) {
      const failure = error instanceof Error ? error : new PeerError('broken', 'a yamux frame could not be handled');
      this.abort(failure);
      this.#connection.abort(failure);
    }
  }

  #push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#frame === undefined) {
        const count = bytes.copy(this.#header, this.#headerLength, at);
        at += count;
        this.#headerLength += count;
        if (this.#headerLength < yamuxHeaderBytes) return;
        this.#headerLength = 0;
        this.#onHeader(decodeYamuxHeader(this.#header));
      } else {
        const isAll = at === 0 && bytes.length <= this.#missing;
        const part = isAll ? bytes : bytes.subarray(at, at + this.#missing);
        at += part.length;
        this.#missing -= part.length;
        this.#frame.stream?.onBytes(part);
      }
      if (this.#missing === 0) this.#endFrame();
    }
  }

  #onHeader(header: YamuxHeader): void {
    const { type, flags, id, length } = header;
    if (id === 0) return this.#onSession(header);
    if (type !== yamuxTypes.data && type !== yamuxTypes.windowUpdate)
      throw new PeerError('broken', `a yamux frame of type ${type} on a stream`);
    if (flags & yamuxFlags.syn) this.#accept(id);
    const stream = this.streams.find(({ number }) => number === id);
    if (type === yamuxTypes.data) {
      stream?.onFrame(length);
      this.#frame = { stream, flags };
      this.#missing = length;
      return;
    }
    stream?.onWindowUpdate(length);
    if (stream !== undefined) closeBy(flags, stream);
  }

  #endFrame(): void {
    if (this.#frame?.stream !== undefined) closeBy(this.#frame.flags, this.#frame.stream);
    this.#frame = undefined;
  }

  #onSession({ type, flags, length }: YamuxHeader): void {
    if (type === yamuxTypes.ping && flags & yamuxFlags.syn)
      this.#answer({ type, flags: yamuxFlags.ack, id: 0, length });
    else if (type === yamuxTypes.goAway && length === goAwayCodes.normal) this.onTransportClosed();
    else throw new PeerError('broken', `a yamux frame of type ${type} on the session`);
  }

  #accept(id: number): void {
    if (id % 2 === this.#nextId % 2) throw new PeerError('broken', `a stream with our own number ${id}`);
    if (this.streams.some(({ number }) => number === id)) throw new PeerError('broken', `a second stream ${id}`);
    if (this.#count('inbound') >= streamsMax || this.status !== 'open') {
      this.#answer({ type: yamuxTypes.windowUpdate, flags: yamuxFlags.rst, id, length: 0 });
      return;
    }
    const stream = this.#newStream(id, 'inbound');
    this.onRemoteStream(stream);
    stream.open();
  }

  #newStream(id: number, direction: MessageStreamDirection): YamuxStream {
    const log = this.log.newScope(`${direction}:${id}`);
    return new YamuxStream({ id, direction, log, send: (frame, data) => this.#send({ ...frame, id }, data) });
  }

  /** What the other side may ask for as often as it likes. */
  #answer(header: YamuxHeader): void {
    if (this.#connection.unsentBytes > unsentBytesMax)
      throw new PeerError('broken', `more than ${unsentBytesMax} bytes wait for who does not read`);
    this.#send(header);
  }

  #send(header: YamuxHeader, data: Iterable<Uint8Array> = []): boolean {
    const canSendMore = this.#connection.write([encodeYamuxHeader(header), ...data]);
    if (!canSendMore) for (const stream of this.streams) stream.onMuxerNeedsDrain();
    return canSendMore;
  }

  #count(direction: MessageStreamDirection): number {
    return this.streams.filter((stream) => stream.direction === direction).length;
  }
}

function closeBy(flags: number, stream: YamuxStream): void {
  if (flags & yamuxFlags.rst) stream.onRemoteReset();
  else if (flags & yamuxFlags.fin) stream.onRemoteCloseWrite();
}
