import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import {
  type ComponentLogger,
  type Connection,
  type CreateListenerOptions,
  type DialTransportOptions,
  type Listener,
  type Logger,
  type PeerId,
  type PrivateKey,
  type StreamMuxerFactory,
  serviceCapabilities,
  type Transport,
  transportSymbol,
} from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { generateCertificate, verifyPeerCertificate } from '@libp2p/tls/utils';
import type { Multiaddr } from '@multiformats/multiaddr';
import { PeerError } from '../failure.ts';
import { TlsConnection } from './tls-connection.ts';
import { TlsListener } from './tls-listener.ts';

/** What the transport needs of the libp2p node. */
interface TlsComponents {
  readonly privateKey: PrivateKey;
  readonly logger: ComponentLogger;
}

interface TlsTransportOptions {
  readonly muxer: StreamMuxerFactory;
  /** Asked before the TLS handshake, so that a refused address costs no cryptography. */
  readonly acceptAddress: (address: string) => boolean;
}

const handshakeTimeoutMs = 5_000;

/**
 * TCP with node:tls on the socket itself, mutual, with the certificates of the libp2p TLS specification; then the muxer,
 * without negotiation. Both ends must use it: it is not what `/tcp` means to other libp2p nodes.
 */
export class TlsTransport implements Transport {
  readonly [Symbol.toStringTag] = 'eddy-tls';
  readonly [transportSymbol] = true;
  readonly [serviceCapabilities] = ['@libp2p/transport'];
  readonly #components: TlsComponents;
  readonly #options: TlsTransportOptions;
  readonly #log: Logger;
  #certificate: Promise<{ cert: string; key: string }> | undefined;

  constructor(components: TlsComponents, options: TlsTransportOptions) {
    this.#components = components;
    this.#options = options;
    this.#log = components.logger.forComponent('eddy:tls');
  }

  async dial(address: Multiaddr, options: DialTransportOptions): Promise<Connection> {
    const { host, port, peerId } = endpointOf(address);
    const socket = connect({ host, port, ...(await this.#tlsOptions()) });
    socket.setNoDelay(true);
    try {
      await secured(socket, options.signal);
      const remotePeer = await peerOf(socket, peerId);
      const connection = new TlsConnection({ socket, direction: 'outbound', log: this.#log, remoteAddr: address });
      return await options.upgrader.upgradeOutbound(connection, {
        signal: options.signal,
        skipEncryption: true,
        skipProtection: true,
        remotePeer,
        muxerFactory: this.#options.muxer,
      });
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  createListener({ upgrader }: CreateListenerOptions): Listener {
    return new TlsListener({
      tlsOptions: async () => ({
        ...(await this.#tlsOptions()),
        requestCert: true,
        handshakeTimeout: handshakeTimeoutMs,
      }),
      acceptAddress: this.#options.acceptAddress,
      onSocket: async (socket, signal) => {
        const remotePeer = await peerOf(socket, undefined);
        const connection = new TlsConnection({ socket, direction: 'inbound', log: this.#log });
        await upgrader.upgradeInbound(connection, {
          signal,
          skipEncryption: true,
          skipProtection: true,
          remotePeer,
          muxerFactory: this.#options.muxer,
        });
      },
    });
  }

  listenFilter(addresses: Multiaddr[]): Multiaddr[] {
    return addresses.filter(isTcp);
  }

  dialFilter(addresses: Multiaddr[]): Multiaddr[] {
    return addresses.filter(isTcp);
  }

  /** The chain is checked by `peerOf`: certificates of peers are self-signed and vouch for the peer id. */
  async #tlsOptions(): Promise<
    Pick<ConnectionOptions, 'cert' | 'key' | 'minVersion' | 'rejectUnauthorized' | 'ALPNProtocols'>
  > {
    this.#certificate ??= generateCertificate(this.#components.privateKey);
    const certificate = await this.#certificate;
    return { ...certificate, minVersion: 'TLSv1.3', rejectUnauthorized: false, ALPNProtocols: ['eddy/1'] };
  }
}

/** Throws unless the certificate is valid by the libp2p TLS specification, and of `expected` if that is given. */
async function peerOf(socket: TLSSocket, expected: PeerId | undefined): Promise<PeerId> {
  const certificate = socket.getPeerCertificate();
  if (certificate.raw === undefined) throw new PeerError('broken', 'the peer showed no certificate');
  return verifyPeerCertificate(certificate.raw, expected);
}

function secured(socket: TLSSocket, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const give = () => socket.destroy(new PeerError('aborted', 'the dial was given up'));
  const closed = () => reject(new PeerError('broken', 'the connection closed during the handshake'));
  socket.once('secureConnect', resolve);
  socket.once('error', reject);
  socket.once('close', closed);
  signal.addEventListener('abort', give, { once: true });
  if (signal.aborted) give();
  return promise.finally(() => {
    socket.off('error', reject);
    socket.off('close', closed);
    signal.removeEventListener('abort', give);
  });
}

function isTcp(address: Multiaddr): boolean {
  const names = address.getComponents().map(({ name }) => name);
  const [host = '', tcp, peer, more] = names[0] === 'ip6zone' ? names.slice(1) : names;
  return hostNames.has(host) && tcp === 'tcp' && (peer === undefined || peer === 'p2p') && more === undefined;
}

const hostNames: ReadonlySet<string> = new Set(['ip4', 'ip6', 'dns', 'dns4', 'dns6']);

function endpointOf(address: Multiaddr): { host: string; port: number; peerId: PeerId | undefined } {
  let host: string | undefined;
  let port: number | undefined;
  let peerId: PeerId | undefined;
  for (const { name, value } of address.getComponents()) {
    if (hostNames.has(name)) host = value;
    if (name === 'tcp') port = Number(value);
    if (name === 'p2p' && value !== undefined) peerId = peerIdFromString(value);
  }
  if (host === undefined || port === undefined)
    throw new PeerError('broken', `${address.toString()} is no address to dial: expected /ip4/HOST/tcp/PORT`);
  return { host, port, peerId };
}
