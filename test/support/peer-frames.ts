import fc from 'fast-check';
import { dataFrameHead, encodeFrame, type FrameName, frameTypes, withId } from '../../src/peers/wire/frames.ts';
import { encodeJson } from '../../src/peers/wire/messages.ts';

const request = {
  map: 'default',
  key: 'default /cold/fuzz.m4s',
  target: '/cold/fuzz.m4s',
  fields: ['range', 'bytes=0-1'],
};
const have = { answer: 'have', head: { status: 200, fields: ['etag', '"a"'], completeLength: 9 } } as const;

/** One of every frame that members send, as it should be. */
const proper: readonly Buffer[] = [
  encodeFrame('members', encodeJson([{ peerId: 'p', addresses: ['/ip4/127.0.0.1/tcp/1'], weight: 2, relays: true }])),
  encodeFrame('ping', Buffer.alloc(8)),
  encodeFrame('request', withId(7, encodeJson(request))),
  encodeFrame('status', withId(1, encodeJson(have))),
  encodeFrame('credit', withId(7, Buffer.alloc(4, 1))),
  encodeFrame('cancel', withId(7, Buffer.alloc(0))),
  encodeFrame('waiting', withId(1, Buffer.alloc(8))),
  encodeFrame('digest', Buffer.alloc(16_384, 0x55)),
  encodeFrame('digestChanges', Buffer.alloc(66)),
  encodeFrame('announcement', Buffer.concat([Buffer.from([0, 4]), Buffer.from('live{}')])),
  encodeFrame('credential', Buffer.alloc(72)),
  encodeFrame('leaving', Buffer.alloc(0)),
  encodeFrame('probe', Buffer.from([0, 1])),
  encodeFrame('probed', Buffer.from('/ip4/127.0.0.1/tcp/1')),
  encodeFrame('end', withId(1, Buffer.alloc(8))),
  encodeFrame('fail', withId(1, Buffer.from('why'))),
  encodeFrame('manifest', withId(1, Buffer.alloc(200, 1))),
  Buffer.concat([dataFrameHead(1, 0, { digest: Buffer.alloc(32), length: 9 }), Buffer.alloc(9)]),
];

const changed = fc
  .tuple(fc.constantFrom(...proper), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }), fc.nat(120))
  .map(([bytes, changes, kept]) => {
    const copy = Buffer.from(bytes);
    for (const [at, value] of changes) copy[at % copy.length] = value;
    return kept < 100 ? copy : copy.subarray(0, kept);
  });
const named = fc
  .tuple(fc.constantFrom(...(Object.keys(frameTypes) as FrameName[])), fc.uint8Array({ maxLength: 300 }))
  .map(([name, payload]) => encodeFrame(name, Buffer.from(payload)));
const noise = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes));

/** What a member may send that is broken, mad or malicious: a few frames, most of them nearly right. */
export const wildFrames: fc.Arbitrary<Buffer> = fc
  .array(fc.oneof({ weight: 4, arbitrary: changed }, { weight: 2, arbitrary: named }, noise), {
    minLength: 1,
    maxLength: 4,
  })
  .map((frames) => Buffer.concat(frames));
