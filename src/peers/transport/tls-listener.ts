import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { type Listener, type ListenerEvents, TypedEventEmitter } from '@libp2p/interface';
import { getThinWaistAddresses } from '@libp2p/utils';
import type { Multiaddr } from '@multiformats/multiaddr';

interface TlsListenerOptions {
  readonly tlsOptions: () => Promise<TlsOptions>;
  readonly acceptAddress: (address: string) => boolean;
  /** Upgrades the secured socket; it is destroyed when this rejects. */
  readonly onSocket: (socket: TLSSocket, signal: AbortSignal) => Promise<void>;
}

/** Sockets in their handshake or open, at most; more are closed at once. */
const socketsMax = 512;

/** Accepts TLS connections on one address. */
export class TlsListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #options: TlsListenerOptions;
  readonly #sockets = new Set<Socket>();
  readonly #stopping = new AbortController();
  #server: Server | undefined;
  #address: Multiaddr | undefined;

  constructor(options: TlsListenerOptions) {
    super();
    this.#options = options;
  }

  async listen(address: Multiaddr): Promise<void> {
    const server = createServer(await this.#options.tlsOptions());
    server.on('connection', (socket) => this.#accept(socket));
    server.on('secureConnection', (socket) => this.#upgrade(socket));
    // A handshake that fails is the dialler's business; the socket is closed already.
    server.on('tlsClientError', () => {});
    const { host, port } = hostAndPort(address);
    const listening = Promise.withResolvers<void>();
    server.once('error', listening.reject);
    server.listen({ host, port }, listening.resolve);
    await listening.promise;
    server.off('error', listening.reject);
    server.on('error', (error) => this.dispatchEvent(new CustomEvent('error', { detail: error })));
    this.#server = server;
    this.#address = address;
    this.dispatchEvent(new CustomEvent('listening'));
  }

  getAddrs(): Multiaddr[] {
    const bound = this.#server?.address() as AddressInfo | null | undefined;
    return bound && this.#address ? getThinWaistAddresses(this.#address, bound.port) : [];
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    const server = this.#server;
    this.#server = undefined;
    const closed = Promise.withResolvers<void>();
    if (server === undefined) closed.resolve();
    else server.close(() => closed.resolve());
    for (const socket of this.#sockets) socket.destroy();
    await closed.promise;
    this.dispatchEvent(new CustomEvent('close'));
  }

  updateAnnounceAddrs(): void {}

  #accept(socket: Socket): void {
    if (this.#sockets.size >= socketsMax || !this.#options.acceptAddress(socket.remoteAddress ?? '')) {
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
  }

  #upgrade(socket: TLSSocket): void {
    // Until the upgrade listens to it, an error must not be anybody's uncaught one.
    socket.on('error', () => {});
    this.#options.onSocket(socket, this.#stopping.signal).catch(() => socket.destroy());
  }
}

function hostAndPort(address: Multiaddr): { host: string; port: number } {
  const parts = address.getComponents();
  const host = parts.find(({ name }) => name.startsWith('ip') && name !== 'ip6zone')?.value ?? '0.0.0.0';
  return { host, port: Number(parts.find(({ name }) => name === 'tcp')?.value ?? 0) };
}
