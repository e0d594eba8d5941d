import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import type { Libp2p, Stream } from '@libp2p/interface';
import { afterEach, describe, expect, it } from 'vitest';
import { bareHost } from '../../bench/peer-plane/bare.ts';
import {
  decodeYamuxHeader,
  encodeYamuxHeader,
  yamuxFlags,
  yamuxTypes,
} from '../../src/peers/transport/yamux-header.ts';
import { initialWindowBytes, YamuxStream } from '../../src/peers/transport/yamux-stream.ts';
import { patternBytes } from '../support/origin.ts';
import { openHost, speakByHand } from '../support/yamux-by-hand.ts';

const protocol = '/test/1';
const listen = ['/ip4/127.0.0.1/tcp/0'];
/** Many windows. */
const bytes = patternBytes('yamux', 0, 6_000_000);
const open: Libp2p[] = [];
const sockets: TLSSocket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(open.splice(0).map((host) => host.stop()));
});

async function ours(): Promise<Libp2p> {
  const host = await openHost();
  open.push(host);
  return host;
}

async function library(): Promise<Libp2p> {
  const host = await bareHost(listen);
  open.push(host);
  return host;
}

/** Sends all of it, as fast as the stream takes it, and says that this was all. */
async function give(stream: Stream): Promise<void> {
  for (let at = 0; at < bytes.length; at += 50_000) {
    if (stream.writableNeedsDrain) await once(stream as unknown as EventTarget, 'drain');
    stream.send(bytes.subarray(at, at + 50_000));
  }
  await stream.close();
}

/** `asTheyCome`: as frames are read; else as libp2p does. */
async function taken(stream: Stream, asTheyCome: boolean): Promise<Buffer> {
  const parts: Buffer[] = [];
  if (asTheyCome && stream instanceof YamuxStream) stream.readTo((part) => parts.push(Buffer.from(part)));
  stream.addEventListener('message', ({ data }) => parts.push(Buffer.from(data.subarray())));
  await once(stream as unknown as EventTarget, 'remoteCloseWrite');
  return Buffer.concat(parts);
}

describe.each([
  ['ours', 'the library', ours, library],
  ['the library', 'ours', library, ours],
  ['ours', 'ours', ours, ours],
] as const)('%s dials %s', (_from, _to, from, to) => {
  it.each([true, false])('and bytes go both ways, as they come: %s', async (asTheyCome) => {
    const [a, b] = [await from(), await to()];
    const there = Promise.withResolvers<Buffer>();
    await b.handle(protocol, (stream) => {
      void taken(stream, asTheyCome).then(there.resolve);
      void give(stream);
    });
    const stream = await (await a.dial(b.getMultiaddrs())).newStream([protocol]);
    const [here] = await Promise.all([taken(stream, asTheyCome), give(stream)]);
    expect(here.equals(bytes)).toBe(true);
    expect((await there.promise).equals(bytes)).toBe(true);
  });

  it('and a stream that is not read holds back who writes to it, and nobody else', async () => {
    const [a, b] = [await from(), await to()];
    const accepted: Stream[] = [];
    await b.handle(protocol, (stream) => {
      if (accepted.length === 0) stream.pause();
      accepted.push(stream);
      if (accepted.length === 2) void give(stream);
    });
    const connection = await a.dial(b.getMultiaddrs());
    const [held, other] = [await connection.newStream([protocol]), await connection.newStream([protocol])];
    held.send(bytes.subarray(0, 3_000_000));
    expect((await taken(other, true)).equals(bytes)).toBe(true);
    expect(held.writeBufferLength).toBeGreaterThanOrEqual(3_000_000 - initialWindowBytes);
    expect(accepted[0]?.readBufferLength).toBeLessThanOrEqual(initialWindowBytes);
  });

  it('and a stream that one side resets is over for the other, whose connection stays', async () => {
    const [a, b] = [await from(), await to()];
    await b.handle(protocol, (stream) => stream.abort(new Error('no')), { maxInboundStreams: 100 });
    const connection = await a.dial(b.getMultiaddrs());
    for (let i = 0; i < 3; i++) {
      const stream = await connection.newStream([protocol]);
      if (stream.status === 'open') await once(stream as unknown as EventTarget, 'close');
      expect(stream.status).toBe('reset');
    }
    expect(connection.status).toBe('open');
  });
});

/** A member that speaks yamux by hand. */
async function byHand(host: Libp2p): Promise<TLSSocket> {
  const socket = await speakByHand(host);
  sockets.push(socket);
  return socket;
}

const { syn, ack } = yamuxFlags;
const { data, windowUpdate, ping, goAway } = yamuxTypes;
const frame = (type: number, flags: number, about: { id: number; length: number }) =>
  encodeYamuxHeader({ type, flags, ...about });
const opened = frame(windowUpdate, syn, { id: 1, length: 0 });

describe('what no peer says', () => {
  it.each([
    ['another version', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['more than a window', Buffer.concat([opened, frame(data, 0, { id: 1, length: initialWindowBytes + 1 })])],
    ['a stream with a number of ours', frame(windowUpdate, syn, { id: 2, length: 0 })],
    ['a stream twice', Buffer.concat([opened, opened])],
    ['a type that is none', frame(9, 0, { id: 1, length: 0 })],
    ['an answer to no ping', frame(ping, ack, { id: 0, length: 7 })],
    ['that it failed', frame(goAway, 0, { id: 0, length: 2 })],
  ])('ends the connection: %s', async (_what, said) => {
    const socket = await byHand(await ours());
    socket.write(said);
    socket.resume();
    await once(socket, 'close');
    expect(socket.destroyed).toBe(true);
  });
});

describe('who does not read', () => {
  it.each([
    ['pings', frame(ping, syn, { id: 0, length: 1 })],
    ['streams that are refused', frame(windowUpdate, syn, { id: 2 * 1000 + 1, length: 0 })],
  ])('is left when answers to %s pile up', async (_what, said) => {
    const host = await ours();
    const socket = await byHand(host);
    for (let i = 0; i < 128; i++) socket.write(frame(windowUpdate, syn, { id: 1 + 2 * i, length: 0 }));
    const many = Buffer.concat(Array.from({ length: 10_000 }, () => said));
    const closed = Promise.withResolvers<void>();
    socket.once('close', closed.resolve);
    const drained = () => new Promise((resolve) => socket.once('drain', resolve));
    // 60 MB: answers to less than that fill no socket's buffers.
    for (let i = 0; i < 500 && !socket.closed; i++)
      if (!socket.write(many)) await Promise.race([drained(), closed.promise]);
    expect(socket.closed).toBe(true);
  });
});

describe('what a peer may say', () => {
  it('is answered or passed over, one byte at a time', async () => {
    const socket = await byHand(await ours());
    // Bytes of a stream that is not known, then a ping.
    const said = Buffer.concat([
      frame(data, 0, { id: 99, length: 5 }),
      Buffer.from('hello'),
      frame(ping, syn, { id: 0, length: 4711 }),
    ]);
    for (const byte of said) socket.write(Buffer.from([byte]));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(decodeYamuxHeader(answer)).toEqual({ type: ping, flags: ack, id: 0, length: 4711 });
  });

  it('is no more than so many streams at once: the others are reset', async () => {
    const socket = await byHand(await ours());
    const resets = new Set<number>();
    const reset = Promise.withResolvers<void>();
    let kept = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      for (kept = Buffer.concat([kept, bytes]); kept.length >= 12; ) {
        const { type, flags, id, length } = decodeYamuxHeader(kept);
        if (flags & yamuxFlags.rst) resets.add(id);
        kept = kept.subarray(12 + (type === data ? length : 0));
      }
      if (resets.size === 2) reset.resolve();
    });
    for (let i = 0; i < 130; i++) socket.write(frame(windowUpdate, syn, { id: 1 + 2 * i, length: 0 }));
    await reset.promise;
    expect([...resets]).toEqual([257, 259]);
  });
});
