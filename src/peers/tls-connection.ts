import type { TLSSocket } from 'node:tls';
import type { AbortOptions, Logger, MessageStreamDirection, MultiaddrConnection } from '@libp2p/interface';
import { AbstractMultiaddrConnection, ipPortToMultiaddr } from '@libp2p/utils';
import type { Multiaddr } from '@multiformats/multiaddr';

export interface TlsConnectionInit {
  readonly socket: TLSSocket;
  readonly direction: MessageStreamDirection;
  readonly log: Logger;
  /** Default: what the socket says. */
  readonly remoteAddr?: Multiaddr;
}

type Sent = ReturnType<AbstractMultiaddrConnection['sendData']>;
type Sending = Parameters<AbstractMultiaddrConnection['sendData']>[0];

/** A TLS socket as libp2p sees connections: no copy and no second stream between the muxer and the socket. */
export class TlsConnection extends AbstractMultiaddrConnection implements MultiaddrConnection {
  readonly #socket: TLSSocket;

  constructor({ socket, direction, log, remoteAddr }: TlsConnectionInit) {
    super({
      direction,
      log,
      remoteAddr: remoteAddr ?? ipPortToMultiaddr(socket.remoteAddress ?? '0.0.0.0', socket.remotePort ?? 0),
    });
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.onData(bytes));
    socket.on('drain', () => this.dispatchEvent(new Event('drain')));
    socket.on('error', (error) => this.abort(error));
    socket.once('end', () => this.onTransportClosed());
    socket.once('close', () => this.onTransportClosed());
  }

  override sendData(data: Sending): Sent {
    let sentBytes = 0;
    let canSendMore = true;
    // One write to the kernel for the muxer's header and what follows it.
    this.#socket.cork();
    for (const bytes of data) {
      sentBytes += bytes.byteLength;
      canSendMore = this.#socket.write(bytes);
    }
    this.#socket.uncork();
    return { sentBytes, canSendMore };
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
}
