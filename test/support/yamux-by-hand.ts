import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import type { Libp2p } from '@libp2p/interface';
import { generateCertificate } from '@libp2p/tls/utils';
import { passingIdentity } from '../../src/peers/cell/identity.ts';
import { startHost } from '../../src/peers/transport/host.ts';
import { openGate, plainHost } from './peer-options.ts';

/** A host with our own yamux that listens on a port of its own and lets everybody in. */
export async function openHost(): Promise<Libp2p> {
  const { privateKey } = await passingIdentity();
  const about = { listen: ['/ip4/127.0.0.1/tcp/0'], transport: 'direct', mdnsTag: undefined } as const;
  return startHost({ privateKey, ...about, ...plainHost(), gate: openGate });
}

/** A TLS connection to it on which yamux can be spoken by hand. Whoever made it destroys it. */
export async function speakByHand(host: Libp2p): Promise<TLSSocket> {
  const { privateKey } = await passingIdentity();
  const [address] = host.getMultiaddrs();
  const port = Number(address?.getComponents().find(({ name }) => name === 'tcp')?.value);
  const certificate = await generateCertificate(privateKey);
  const socket = connect({
    ...{ host: '127.0.0.1', port, ...certificate },
    ...{ rejectUnauthorized: false, ALPNProtocols: ['eddy/1'] },
  });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
}
