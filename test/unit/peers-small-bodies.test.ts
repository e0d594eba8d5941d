import { describe, expect, it } from 'vitest';
import { Fields } from '../../src/fields.ts';
import { Responder } from '../../src/peers/answer/responder.ts';
import { UploadBudget } from '../../src/peers/answer/upload-budget.ts';
import { passingIdentity } from '../../src/peers/cell/identity.ts';
import { PeerError } from '../../src/peers/failure.ts';
import { KeptDigests } from '../../src/peers/integrity/kept-digests.ts';
import { Manifests } from '../../src/peers/integrity/manifests.ts';
import { Asker } from '../../src/peers/link/asker.ts';
import { Member } from '../../src/peers/members/member.ts';
import { FrameMemory } from '../../src/peers/wire/frame-memory.ts';
import { type Frame, FrameDecoder } from '../../src/peers/wire/frames.ts';
import { encodeJson } from '../../src/peers/wire/messages.ts';

const request = { map: 'm', key: 'k', target: '/part.m4s', fields: [] };

/** What a member writes to the control stream, each write a list of frames, when it is asked for that many bytes. */
async function answered(bytes: number, { isClear = true, fetchedHere = true } = {}) {
  const { privateKey, peerId } = await passingIdentity();
  const digests = new KeptDigests();
  const body = Buffer.alloc(bytes, 7);
  const writes: Buffer[] = [];
  const fields = new Fields(['ETag', '"a"', 'Content-Length', String(bytes)]);
  const { promise: over, resolve } = Promise.withResolvers<string>();
  const member = new Member(peerId, { nowMs: Date.now, onState: () => {} });
  const responder = new Responder(
    {
      member,
      send: (...frames) => writes.push(Buffer.concat(frames)),
      isClear: () => isClear,
      bulk: () => Promise.reject(new PeerError('broken', 'there is no bulk stream here')),
    },
    {
      source: {
        open: async () => ({
          ...{ status: 200, fields, completeLength: bytes, buffersAreKept: true, fetchedHere },
          peek: () => [body],
          body: (async function* () {
            yield body;
          })(),
        }),
      },
      budget: new UploadBudget({ bytesPerSecond: () => Number.POSITIVE_INFINITY, nowMs: Date.now }),
      ...{ digests, manifests: new Manifests(privateKey, digests) },
      asking: () => undefined,
      onBytes: () => {},
      onOutcome: resolve,
    },
  );
  const asker = new Asker({
    member,
    // What gets no answer here is cancelled later, when nobody is there to hear it.
    send: (frame) => {
      if (framesIn(frame).some(({ name }) => name === 'request')) responder.onRequest(frame.subarray(8));
    },
    memory: new FrameMemory(),
  });
  const exchange = asker.ask(encodeJson(request), false);
  const outcome = await over;
  const frames = writes.map(framesIn);
  for (const frame of frames.flat()) asker.onFrame(frame);
  return { outcome, exchange, names: frames.map((each) => each.map(({ name }) => name)), body };
}

function framesIn(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  new FrameDecoder((frame) => frames.push(frame)).push(bytes);
  return frames;
}

describe('a small body that is at hand', () => {
  it('is sent with its status, its manifest and its end in one write', async () => {
    const { outcome, exchange, names, body } = await answered(32_768);
    expect([outcome, names]).toEqual(['have', [['status', 'data', 'manifest', 'end']]]);
    expect((await exchange.head)?.status).toBe(200);
    const given = [];
    for await (const bytes of exchange) given.push(bytes);
    expect(Buffer.concat(given)).toEqual(body);
    // It is the fetching node's word on its own bytes: to be kept, and nothing to check them with.
    expect([exchange.manifest === undefined, exchange.shown]).toEqual([false, undefined]);
  });

  it('has no manifest where nobody vouches for it', async () => {
    const { names } = await answered(13_000, { fetchedHere: false });
    expect(names).toEqual([['status', 'data', 'end']]);
  });

  it('goes the way of all bodies where it is not small, or something waits to be sent on the control stream', async () => {
    for (const { outcome, names } of [await answered(33_000), await answered(13_000, { isClear: false })])
      expect([outcome, names[0]]).toEqual(['broken', ['status']]);
  });
});
