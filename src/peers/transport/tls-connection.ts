import type { TLSSocket } from 'node:tls';
import type { AbortOptions, Logger, MessageStreamDirection, MultiaddrConnection } from '@libp2p/interface';
import { AbstractMultiaddrConnection, ipPortToMultiaddr } from '@libp2p/utils';
import type { Multiaddr } from '@multiformats/multiaddr';
import { canReadInto, readInto } from '../../socket-reads.ts';

interface TlsConnectionInit {
  readonly socket: TLSSocket;
  readonly direction: MessageStreamDirection;
  readonly log: Logger;
  /** Default: what the socket says. */
  readonly remoteAddr?: Multiaddr;
}

type Sent = ReturnType<AbstractMultiaddrConnection['sendData']>;
type Sending = Parameters<AbstractMultiaddrConnection['sendData']>[0];

/** What is read is handed on before anything else is: all connections can share it. A TLS record fits. */
const shared = Buffer.allocUnsafeSlow(64 * 1024);
/** Unsent, beyond which nobody is to write more. Not below the socket's own bound (64 KiB), which brings the `drain`. */
const unsentBytesMax = 128 * 1024;
/** So that what stands between the ends does not forget a connection on which nothing is to be said. */
const keepAliveMs = 15_000;

/** A TLS socket as libp2p sees connections: no copy and no second stream between the muxer and the socket. */
export class TlsConnection extends AbstractMultiaddrConnection implements MultiaddrConnection {
  readonly #socket: TLSSocket;
  #reader: ((bytes: Buffer) => void) | undefined;

  constructor({ socket, direction, log, remoteAddr }: TlsConnectionInit) {
    super({
      direction,
      log,
      remoteAddr: remoteAddr ?? ipPortToMultiaddr(socket.remoteAddress ?? '0.0.0.0', socket.remotePort ?? 0),
    });
    this.#socket = socket;
    socket.setKeepAlive(true, keepAliveMs);
    socket.on('data', this.#onBytes);
    socket.on('drain', () => this.dispatchEvent(new Event('drain')));
    socket.on('error', (error) => this.abort(error));
    socket.once('end', () => this.onTransportClosed());
    socket.once('close', () => this.onTransportClosed());
  }

  /**
   * From now on bytes go to `reader`, and not into `message` events, but for those that are kept already. They are valid
   * until it returns. For each TLS record node makes a buffer of 16 KiB, unless it is given one.
   */
  readTo(reader: (bytes: Buffer) => void): void {
    this.#reader = reader;
    if (!canReadInto(this.#socket)) return;
    this.#socket.off('data', this.#onBytes);
    readInto(this.#socket, shared, (length) => {
      reader(shared.subarray(0, length));
      return true;
    });
  }

  /** Written, and not taken by the other side. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /**
   * At once, whatever the connection has to send besides. False: `drain` is to be waited for. TLS takes one write at a
   * time and ends it a turn later; what comes meanwhile is the next one.
   */
  write(parts: Iterable<Uint8Array>): boolean {
    const socket = this.#socket;
    if (!socket.writable) return false;
    socket.cork();
    for (const bytes of parts) socket.write(bytes);
    socket.uncork();
    return socket.writableLength < unsentBytesMax;
  }

  override sendData(data: Sending): Sent {
    return { sentBytes: data.byteLength, canSendMore: this.write(data) };
  }

  override async sendClose(options?: AbortOptions): Promise<void> {
    if (this.#socket.destroyed) return;
    const closed = Promise.withResolvers<void>();
    const cut = () => this.#socket.destroy();
    this.#socket.once('close', () => closed.resolve());
    options?.signal?.addEventListener('abort', cut, { once: true });
    this.#socket.destroySoon();
    await closed.promise;
    options?.signal?.removeEventListener('abort', cut);
  }

  override sendReset(): void {
    this.#socket.destroy();
  }

  override sendPause(): void {
    this.#socket.pause();
  }

  override sendResume(): void {
    this.#socket.resume();
  }

  readonly #onBytes = (bytes: Buffer): void => {
    if (this.#reader === undefined) this.onData(bytes);
    else this.#reader(bytes);
  };
}
