import { once } from 'node:events';
import { connect } from 'node:net';
import type { Libp2p } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { afterEach, describe, expect, it } from 'vitest';
import { passingIdentity } from '../../src/peers/cell/identity.ts';
import { type HostGate, startHost } from '../../src/peers/transport/host.ts';
import { openGate, plainHost } from '../support/peer-options.ts';

const open: Libp2p[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((host) => host.stop()));
});

async function host(transport: 'direct' | 'stock', gate: HostGate = openGate): Promise<Libp2p> {
  const { privateKey } = await passingIdentity();
  const started = await startHost({
    privateKey,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    transport,
    mdnsTag: undefined,
    ...plainHost(),
    gate,
  });
  open.push(started);
  return started;
}

function received(stream: AsyncIterable<{ subarray(): Uint8Array }>): Promise<string> {
  return (async () => {
    let text = '';
    for await (const bytes of stream) text += Buffer.from(bytes.subarray()).toString();
    return text;
  })();
}

describe.each(['direct', 'stock'] as const)('hosts over the %s transport', (transport) => {
  it('know who the other is and pass bytes on a stream', async () => {
    const [a, b] = [await host(transport), await host(transport)];
    const seen = Promise.withResolvers<{ peer: string; text: string }>();
    await b.handle('/test/1', async (stream, connection) => {
      seen.resolve({ peer: connection.remotePeer.toString(), text: await received(stream) });
    });
    const connection = await a.dial(b.getMultiaddrs());
    expect(connection.remotePeer.equals(b.peerId)).toBe(true);
    const stream = await connection.newStream(['/test/1']);
    stream.send(Buffer.from('hello'));
    await stream.close();
    expect(await seen.promise).toEqual({ peer: a.peerId.toString(), text: 'hello' });
  });

  it('refuse a host that is not the one dialled', async () => {
    const [a, b, c] = [await host(transport), await host(transport), await host(transport)];
    const address = b.getMultiaddrs()[0]?.decapsulate('/p2p').encapsulate(`/p2p/${c.peerId.toString()}`);
    await expect(a.dial(multiaddr(address?.toString() ?? ''))).rejects.toThrow();
    expect(a.getConnections()).toEqual([]);
  });

  it('refuse a peer that the gate does not accept', async () => {
    const b = await host(transport);
    const a = await host(transport, { ...openGate, acceptPeer: (peerId) => peerId !== b.peerId.toString() });
    const closed = (await Promise.allSettled([b.dial(a.getMultiaddrs())]))[0];
    if (closed?.status === 'fulfilled' && closed.value.status === 'open') await once(closed.value as never, 'close');
    expect(a.getConnections()).toEqual([]);
  });
});

describe('the direct transport', () => {
  it('closes the socket of an address that is not accepted, before any handshake', async () => {
    const a = await host('direct', { ...openGate, acceptAddress: () => false });
    const port = Number(
      a
        .getMultiaddrs()[0]
        ?.getComponents()
        .find(({ name }) => name === 'tcp')?.value,
    );
    const socket = connect(port, '127.0.0.1');
    socket.resume();
    await once(socket, 'close');
    expect(socket.bytesRead).toBe(0);
  });
});
