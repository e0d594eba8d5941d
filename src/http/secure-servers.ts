import type { Http2Server } from 'node:http2';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { loadCertificate, watchCertificate } from './certificate.ts';
import { LeanFront, type LeanFrontOptions, ownHandling } from './lean/lean-front.ts';
import type { ViewerLimits } from './limits.ts';
import type { ListenAddress, ViewersOptions } from './listener.ts';

interface SecureServers {
  readonly servers: readonly { readonly address: ListenAddress; readonly server: HttpsServer }[];
  /** The certificate is not looked after any more. */
  readonly stopWatching: () => void;
}

/** A server for each address of HTTPS that does not listen yet, and whose certificate is read again when it changes. */
export async function openSecureServers(
  { tls, tlsListen = [], log }: ViewersOptions,
  { create, limits }: { create: (tls: object) => HttpsServer; limits: ViewerLimits },
): Promise<SecureServers> {
  if (tlsListen.length === 0) return { servers: [], stopWatching: () => {} };
  if (tls === undefined) throw new Error('an HTTPS listener needs a certificate: certFile and keyFile are missing');
  const settings = {
    ...(await loadCertificate(tls)),
    ALPNProtocols: ['h2', 'http/1.1'],
    minVersion: 'TLSv1.2',
    handshakeTimeout: limits.handshakeTimeoutMs,
  };
  const servers = tlsListen.map((address) => ({ address, server: create(settings) }));
  const stopWatching = watchCertificate(tls, {
    onLoaded: (certificate) => {
      for (const { server } of servers) server.setSecureContext({ ...certificate, minVersion: 'TLSv1.2' });
    },
    log,
  });
  return { servers, stopWatching };
}

/**
 * Connections that chose h2 go to the HTTP/2 server, the others to HTTP/1.1: to a lean front with these options, which is
 * returned, or to the server itself.
 */
export function shareByAlpn(
  server: HttpsServer,
  { http2, lean }: { http2: Http2Server; lean?: Pick<LeanFrontOptions, 'front' | 'limits' | 'draining' | 'unsent'> },
): LeanFront | undefined {
  const toHttp = ownHandling(server, 'secureConnection');
  const front = lean && new LeanFront({ ...lean, scheme: 'https', onAccepted: () => {}, toHttp });
  if (front !== undefined) server.once('close', () => front.stop());
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol === 'h2') http2.emit('connection', socket);
    else if (front !== undefined) front.accept(socket);
    else toHttp(socket);
  });
  // Failed handshakes are the client's affair.
  server.on('tlsClientError', (_error, socket: Socket) => socket.destroy());
  return front;
}
