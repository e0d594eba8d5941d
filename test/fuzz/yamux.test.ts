import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import type { Libp2p } from '@libp2p/interface';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  decodeYamuxHeader,
  encodeYamuxHeader,
  yamuxFlags,
  yamuxTypes,
} from '../../src/peers/transport/yamux-header.ts';
import { initialWindowBytes } from '../../src/peers/transport/yamux-stream.ts';
import { fuzzCount, fuzzSeed } from '../support/fuzz.ts';
import { openHost, speakByHand } from '../support/yamux-by-hand.ts';

/** 10,000 take some minutes: a host takes 64 connections a second, and most cases end theirs. */
const count = fuzzCount(300);

const often = <T>(values: readonly T[], otherwise: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...values) }, otherwise);

const lengths = often([0, 1, 300, initialWindowBytes, initialWindowBytes + 1], fc.nat(2 ** 32 - 1));

/** Headers that are nearly right, with as many bytes behind them as they say, or not. */
const wildFrame = fc
  .record({
    type: often(Object.values(yamuxTypes), fc.nat(255)),
    flags: often([0, ...Object.values(yamuxFlags)], fc.nat(0xffff)),
    id: often([0, 1, 2, 3, 5], fc.nat(2 ** 32 - 1)),
    length: lengths,
    bytes: fc.uint8Array({ maxLength: 400 }),
    honest: fc.boolean(),
  })
  .map(({ bytes, honest, ...header }) => {
    if (header.type !== yamuxTypes.data) return encodeYamuxHeader(header);
    const length = honest ? bytes.length : header.length;
    return Buffer.concat([encodeYamuxHeader({ ...header, length }), bytes]);
  });

const noise = fc.uint8Array({ minLength: 1, maxLength: 100 }).map((bytes) => Buffer.from(bytes));

/** What is said on one connection, in so many writes. */
const wildSession = fc.array(fc.oneof({ weight: 9, arbitrary: wildFrame }, noise), { minLength: 1, maxLength: 12 });

let host: Libp2p;

beforeAll(async () => {
  host = await openHost();
});

afterAll(() => host?.stop());

const endsWith = encodeYamuxHeader({ type: yamuxTypes.ping, flags: yamuxFlags.syn, id: 0, length: 4711 });

/** Resolves once all of it was read: the ping behind it is answered, or swallowed by a frame, or the connection ends. */
async function heard(socket: TLSSocket): Promise<void> {
  const settled = Promise.withResolvers<void>();
  socket.on('data', () => settled.resolve());
  socket.once('close', () => settled.resolve());
  const silence = setTimeout(() => settled.resolve(), 50);
  await settled.promise;
  clearTimeout(silence);
}

async function pongOf(socket: TLSSocket): Promise<number> {
  socket.write(endsWith);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return decodeYamuxHeader(answer).length;
}

it(`${count} wild sessions of yamux (seed ${fuzzSeed}) end no host, and no connection but their own`, async () => {
  console.log(`yamux: EDDY_FUZZ_SEED=${fuzzSeed} EDDY_FUZZ_COUNT=${count}`);
  const bystander = await speakByHand(host);
  for (const said of fc.sample(wildSession, { seed: fuzzSeed, numRuns: count })) {
    const socket = await speakByHand(host);
    for (const bytes of said) socket.write(bytes);
    socket.write(endsWith);
    await heard(socket);
    socket.destroy();
  }
  expect(await pongOf(bystander)).toBe(4711);
  bystander.destroy();
  await expect.poll(() => host.getConnections().length).toBe(0);
}, 600_000);
