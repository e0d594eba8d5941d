import type { Stream } from '@libp2p/interface';
import { describe, expect, it } from 'vitest';
import { PeerError } from '../../src/peers/failure.ts';
import { decodeProbed, encodePorts } from '../../src/peers/mesh/dial-back.ts';
import { relayIn, withoutPeerId } from '../../src/peers/transport/address-parts.ts';
import { RelayedFlows } from '../../src/peers/transport/relayed-flow.ts';
import { isDialable } from '../../src/peers/wire/messages.ts';
import { soon } from '../support/until.ts';

const relay = `12D3KooW${'a'.repeat(44)}`;
const peer = `12D3KooW${'b'.repeat(44)}`;
const circuit = `/ip4/192.0.2.1/tcp/4001/p2p/${relay}/p2p-circuit`;

describe('an address through a relay', () => {
  it('is told from one of the node itself', () => {
    expect(relayIn(circuit)).toBe(relay);
    expect(relayIn(`${circuit}/p2p/${peer}`)).toBe(relay);
    expect(relayIn(`/ip4/192.0.2.1/tcp/4001/p2p/${relay}`)).toBeUndefined();
    expect(withoutPeerId(`${circuit}/p2p/${peer}`)).toBe(circuit);
    expect(withoutPeerId(circuit)).toBe(circuit);
    expect(withoutPeerId(`/ip4/192.0.2.1/tcp/4001/p2p/${peer}`)).toBe('/ip4/192.0.2.1/tcp/4001');
  });

  it('may be dialled when it is whole, and goes through one relay', () => {
    expect(isDialable(circuit)).toBe(true);
    for (const bad of [`${circuit}/p2p-circuit`, `/ip4/192.0.2.1/tcp/4001/p2p/x/p2p-circuit`, `${circuit}/tcp/1/ws`])
      expect(isDialable(bad)).toBe(false);
  });
});

describe('a probe', () => {
  it('asks for the ports that a node listens on itself, three at most', () => {
    const addresses = ['/ip4/10.0.0.1/tcp/4001/p2p/x', '/ip4/10.0.0.2/tcp/4001', circuit.replace('4001', '9')];
    expect(encodePorts(addresses)).toEqual(Buffer.from([0x0f, 0xa1]));
    expect(encodePorts([1, 2, 3, 4].map((port) => `/ip4/10.0.0.1/tcp/${port}`))).toHaveLength(6);
  });

  it('is answered with an IP address and a port, or nothing', () => {
    expect(decodeProbed(Buffer.alloc(0))).toBeUndefined();
    for (const address of ['/ip4/192.0.2.1/tcp/4001', '/ip6/2001:db8::1/tcp/1'])
      expect(decodeProbed(Buffer.from(address))).toBe(address);
    for (const bad of ['/dns4/evil.example/tcp/1', `${circuit}`, 'x', '/ip4/1.2.3.4/tcp/', 'a'.repeat(300)])
      expect(() => decodeProbed(Buffer.from(bad))).toThrow(PeerError);
  });
});

/** One end of a relayed connection, as far as it is looked at. */
class FakeStream extends EventTarget {
  readStatus = 'readable';
  status = 'open';
  writeBufferLength = 0;

  pause(): void {
    this.readStatus = 'paused';
  }

  resume(): void {
    this.readStatus = 'readable';
  }

  arrive(bytes: number): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data: new Uint8Array(bytes) }));
  }
}

describe('what is relayed', () => {
  const pair = (bytesPerSecond: number): [FakeStream, FakeStream] => {
    const [from, to] = [new FakeStream(), new FakeStream()];
    new RelayedFlows(bytesPerSecond).join(from as unknown as Stream, to as unknown as Stream);
    return [from, to];
  };

  it('is read no further while the receiver has not taken what came', async () => {
    const [from, to] = pair(Number.POSITIVE_INFINITY);
    from.arrive(100_000);
    expect(from.readStatus).toBe('readable');
    to.writeBufferLength = 300_000;
    from.arrive(100_000);
    expect(from.readStatus).toBe('paused');
    expect(to.readStatus).toBe('readable');
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(from.readStatus).toBe('paused');
    to.writeBufferLength = 0;
    await soon(() => expect(from.readStatus).toBe('readable'));
  });

  it('shares one rate in both directions', async () => {
    const [from, to] = pair(1_000_000);
    from.arrive(200_000);
    expect(from.readStatus).toBe('readable');
    to.arrive(200_000);
    expect(to.readStatus).toBe('paused');
    await soon(() => expect(to.readStatus).toBe('readable'));
  });

  it('stays as it is when one side is gone', async () => {
    const [from, to] = pair(1_000);
    from.arrive(300);
    to.status = 'reset';
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(from.readStatus).toBe('paused');
  });
});
