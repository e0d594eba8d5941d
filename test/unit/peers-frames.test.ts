import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Responder } from '../../src/peers/answer/responder.ts';
import { UploadBudget } from '../../src/peers/answer/upload-budget.ts';
import { decodeCredential } from '../../src/peers/cell/credential.ts';
import { passingIdentity } from '../../src/peers/cell/identity.ts';
import { PeerError } from '../../src/peers/failure.ts';
import { KeptDigests } from '../../src/peers/integrity/kept-digests.ts';
import { decodeManifest, encodeManifest, manifestFault, signManifest } from '../../src/peers/integrity/manifest.ts';
import { Manifests } from '../../src/peers/integrity/manifests.ts';
import { Asker } from '../../src/peers/link/asker.ts';
import { digestBytes, PeerDigest } from '../../src/peers/members/digest.ts';
import { Member } from '../../src/peers/members/member.ts';
import { FrameMemory } from '../../src/peers/wire/frame-memory.ts';
import {
  dataFrameHead,
  encodeFrame,
  type Frame,
  FrameDecoder,
  type FrameName,
  frameTypes,
  headerBytes,
  readDataPrefix,
  readOffset,
  withId,
  writeOffset,
} from '../../src/peers/wire/frames.ts';
import { encodeJson, isDialable, parseHello, parseMembers } from '../../src/peers/wire/messages.ts';
import { fuzzSeed } from '../support/fuzz.ts';

const names = Object.keys(frameTypes).filter((name) => name !== 'data') as FrameName[];

function decoded(bytes: Buffer, cuts: readonly number[]): Frame[] {
  const frames: Frame[] = [];
  const decoder = new FrameDecoder((frame) => frames.push(frame));
  let at = 0;
  for (const cut of cuts) {
    decoder.push(bytes.subarray(at, at + cut));
    at += cut;
  }
  decoder.push(bytes.subarray(at));
  return frames;
}

describe('frames', () => {
  it('come out as they went in, however they are cut', () => {
    const framesIn = fc.array(fc.tuple(fc.constantFrom(...names), fc.uint8Array({ maxLength: 300 })), { maxLength: 6 });
    fc.assert(
      fc.property(framesIn, fc.array(fc.nat(40), { maxLength: 60 }), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(([name, payload]) => encodeFrame(name, Buffer.from(payload))));
        const frames = decoded(bytes, cuts);
        expect(frames.map((frame) => [frame.name, frame.payload])).toEqual(
          sent.map(([name, payload]) => [name, Buffer.from(payload)]),
        );
      }),
      { seed: fuzzSeed, numRuns: 500 },
    );
  });

  it('carry data whose prefix may be cut too', () => {
    fc.assert(
      fc.property(
        fc.nat(0xffff_ffff),
        fc.maxSafeNat(),
        fc.uint8Array({ maxLength: 200 }),
        fc.array(fc.nat(20), { maxLength: 20 }),
        (id, position, body, cuts) => {
          const digest = Buffer.alloc(32, 7);
          const bytes = Buffer.concat([dataFrameHead(id, position, { digest, length: body.length }), body]);
          const [frame] = decoded(bytes, cuts);
          expect(frame && readDataPrefix(frame.prefix)).toEqual({ id, position, digest });
          expect(frame?.payload).toEqual(Buffer.from(body));
        },
      ),
      { seed: fuzzSeed, numRuns: 300 },
    );
  });

  it('of unknown types are read over, of other versions and too long ones refused', () => {
    const unknown = encodeFrame('ping', Buffer.alloc(8));
    unknown[1] = 200;
    expect(
      decoded(Buffer.concat([unknown, encodeFrame('pong', Buffer.alloc(8))]), [3, 7]).map(({ name }) => name),
    ).toEqual(['pong']);
    const version = encodeFrame('ping', Buffer.alloc(8));
    version[0] = 1;
    expect(() => decoded(version, [])).toThrow('version 1, not 2');
    const long = Buffer.alloc(headerBytes);
    long[0] = 2;
    long[1] = frameTypes.status;
    long.writeUInt32BE(10_000_000, 4);
    expect(() => decoded(long, [])).toThrow('10000000 bytes');
  });

  it('hold offsets up to the largest safe integer', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (offset) => {
        const bytes = Buffer.alloc(8);
        writeOffset(bytes, offset, 0);
        return readOffset(bytes, 0) === offset;
      }),
      { seed: fuzzSeed },
    );
  });
});

describe('10,000 random inputs', () => {
  it('are frames and messages, or a PeerError, and nothing grows', async () => {
    const { privateKey, peerId } = await passingIdentity();
    const manifest = await signManifest(
      { key: 'k', etag: '"a"', lastModified: '', completeLength: 5, firstSlice: 0, digests: [Buffer.alloc(32)] },
      privateKey,
    );
    const valid = [
      encodeFrame('hello', encodeJson({ cell: 'c', credential: 'x', weight: 1 })),
      encodeFrame('members', encodeJson([{ peerId: 'p', addresses: ['/ip4/1.2.3.4/tcp/1'], weight: 2 }])),
      encodeFrame(
        'request',
        withId(7, encodeJson({ map: 'm', key: 'k', target: '/t', fields: ['range', 'bytes=0-1'] })),
      ),
      encodeFrame(
        'status',
        withId(1, encodeJson({ answer: 'have', head: { status: 200, fields: [], completeLength: null } })),
      ),
      encodeFrame('waiting', withId(1, Buffer.alloc(8))),
      encodeFrame('end', withId(1, Buffer.alloc(8))),
      encodeFrame('manifest', withId(1, encodeManifest(manifest))),
      Buffer.concat([dataFrameHead(1, 0, { digest: Buffer.alloc(32), length: 9 }), Buffer.alloc(9)]),
    ];
    const mutated = fc
      .tuple(fc.constantFrom(...valid), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }), fc.nat(120))
      .map(([bytes, changes, kept]) => {
        const copy = Buffer.from(bytes);
        for (const [at, value] of changes) copy[at % copy.length] = value;
        return kept < 100 ? copy : copy.subarray(0, kept);
      });
    const member = new Member(peerId, { nowMs: Date.now, onState: () => {} });
    const asker = new Asker({ member, send: () => {}, memory: new FrameMemory() });
    let opened = 0;
    let sent = 0;
    const responder = new Responder(
      { member, send: () => sent++, isClear: () => true, bulk: () => Promise.reject(new PeerError('broken', 'none')) },
      {
        source: {
          open: async () => {
            opened++;
            return undefined;
          },
        },
        budget: new UploadBudget({ bytesPerSecond: () => Number.POSITIVE_INFINITY, nowMs: Date.now }),
        digests: new KeptDigests(),
        manifests: new Manifests(privateKey, new KeptDigests()),
        asking: () => undefined,
        onBytes: () => {},
        onOutcome: () => {},
      },
    );
    const heapBefore = process.memoryUsage().heapUsed;
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 }).map(Buffer.from)), (bytes) => {
        const exchange = asker.ask(Buffer.from('{}'), false);
        try {
          for (const frame of decoded(bytes, [1, 5, 9])) handle(frame, { asker, responder, peerId });
        } catch (error) {
          if (!(error instanceof PeerError)) throw error;
        } finally {
          exchange.cancel();
        }
      }),
      { seed: fuzzSeed, numRuns: 10_000 },
    );
    expect(asker.isFull).toBe(false);
    expect(opened).toBeGreaterThan(0);
    expect(sent).toBeLessThanOrEqual(10_000);
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(150 * 1024 * 1024);
  });
});

const remote = new PeerDigest();
remote.replace(Buffer.alloc(digestBytes));

function handle(
  frame: Frame,
  { asker, responder, peerId }: { asker: Asker; responder: Responder; peerId: string },
): void {
  const payload = frame.payload;
  switch (frame.name) {
    case 'hello':
      decodeCredential(Buffer.from(parseHello(payload).credential, 'base64'), peerId);
      return;
    case 'members':
      parseMembers(payload).every(({ addresses }) => addresses.every(isDialable));
      return;
    case 'request':
      return responder.onRequest(payload);
    case 'credit':
    case 'cancel':
      return responder.onControl(frame.name, payload);
    case 'digest':
      new PeerDigest().replace(payload);
      return;
    case 'digestChanges':
      remote.change(payload);
      return;
    case 'manifest':
      decodeManifest(payload.subarray(4));
      return asker.onFrame(frame);
    default:
      asker.onFrame(frame);
  }
}

describe('the memory of data frames', () => {
  it('is used again once it was given back, and not before', () => {
    const memory = new FrameMemory();
    const [a, b] = [memory.take(10), memory.take(20)];
    expect(a.buffer).not.toBe(b.buffer);
    memory.giveBack(b.subarray(5));
    memory.giveBack(b);
    const [c, d] = [memory.take(30), memory.take(40)];
    expect(c.buffer).toBe(b.buffer);
    expect([a.buffer, b.buffer]).not.toContain(d.buffer);
  });

  it('is never that of others', () => {
    const memory = new FrameMemory();
    const other = Buffer.allocUnsafeSlow(64 * 1024);
    memory.giveBack(other);
    expect(memory.take(10).buffer).not.toBe(other.buffer);
  });
});

describe('a manifest', () => {
  it('is what its signer said of a representation', async () => {
    const { privateKey, peerId } = await passingIdentity();
    const content = {
      key: 'm /a',
      etag: '"a"',
      lastModified: '',
      completeLength: 600_000,
      firstSlice: 0,
      digests: [1, 2, 3].map((fill) => Buffer.alloc(32, fill)),
    };
    const encoded = encodeManifest(await signManifest(content, privateKey));
    const manifest = decodeManifest(encoded);
    expect(manifest).toMatchObject({ ...content, signer: peerId });
    if (manifest === undefined) return;
    expect(await manifestFault(manifest)).toBeUndefined();
    expect(await manifestFault({ ...manifest, etag: '"b"' })).toBe('not signed by its signer');
    expect(await manifestFault({ ...manifest, signer: (await passingIdentity()).peerId })).toBe(
      'not signed by its signer',
    );
    for (let length = 0; length < encoded.length; length += 7)
      expect(decodeManifest(encoded.subarray(0, length))).toBeUndefined();
  });
});

describe('addresses', () => {
  it.each([
    ['/ip4/10.0.0.1/tcp/4001', true],
    ['/ip6/::1/tcp/4001', true],
    ['/dns4/edge.example/tcp/1/p2p/12D3KooWPhB5i2zQHaT5KaPTSgqPQTk25GamH7ak8TwqsyAo91mf', true],
    ['/ip4/10.0.0.1/udp/4001', false],
    ['/ip4/999.0.0.1/tcp/4001', false],
    ['/ip4/10.0.0.1/tcp/4001/ws', false],
    ['/unix/tmp/x', false],
    ['', false],
  ])('%s: %s', (address, dialable) => expect(isDialable(address)).toBe(dialable));
});
