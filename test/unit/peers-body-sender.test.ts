import { expect, it } from 'vitest';
import { BodySender } from '../../src/peers/answer/body-sender.ts';
import { UploadBudget } from '../../src/peers/answer/upload-budget.ts';
import { KeptDigests } from '../../src/peers/integrity/kept-digests.ts';
import { sliceBytes } from '../../src/peers/integrity/manifest.ts';
import type { FramedStream } from '../../src/peers/wire/framed-stream.ts';

/** Bytes of the frames that a body from that place on is sent as, and which of its slices need not be hashed any more. */
async function sent(first: number, parts: readonly Buffer[]): Promise<{ frames: number[]; known: boolean[] }> {
  const frames: number[] = [];
  const digests = new KeptDigests();
  const write: FramedStream['write'] = async (make) => {
    frames.push(make()[1]?.length ?? 0);
  };
  const budget = new UploadBudget({ bytesPerSecond: () => Number.POSITIVE_INFINITY, nowMs: Date.now });
  const { signal } = new AbortController();
  const sender = new BodySender({ id: 1, budget, digests, signal, onBytes: () => {} });
  async function* body() {
    yield* parts;
  }
  await sender.send(body(), { bulk: { write } as FramedStream, first, kept: true, signed: true });
  const [bytes = Buffer.alloc(0)] = sender.sent;
  expect(sender.sent).toHaveLength(1);
  const known: boolean[] = [];
  const begin = first % sliceBytes === 0 ? 0 : sliceBytes - (first % sliceBytes);
  for (let at = begin; at < bytes.length; at += sliceBytes)
    known.push(digests.has(bytes.subarray(at, at + sliceBytes)));
  return { frames, known };
}

it('hashes a slice once, for its frame and for the manifest, but for the first one, which a little frame is cut off', async () => {
  const bytes = Buffer.alloc(4 * sliceBytes + 1_000, 1);
  const whole = await sent(0, [bytes]);
  expect(whole.frames).toEqual([16_320, sliceBytes - 16_320, sliceBytes, sliceBytes, sliceBytes, 1_000]);
  expect(whole.known).toEqual([false, true, true, true, true]);
  // A range that begins within a slice.
  const range = await sent(3 * sliceBytes - 5_000, [bytes]);
  expect(range.frames).toEqual([5_000, sliceBytes, sliceBytes, sliceBytes, sliceBytes - 4_000]);
  expect(range.known).toEqual([true, true, true, true]);
});

it('sends what came at once, also where it is no whole slice', async () => {
  const bytes = Buffer.alloc(4 * sliceBytes, 1);
  const cut = 2 * sliceBytes + 700;
  const { frames, known } = await sent(0, [bytes.subarray(0, cut), bytes.subarray(cut)]);
  expect(frames).toEqual([16_320, sliceBytes - 16_320, sliceBytes, 700, sliceBytes - 700, sliceBytes]);
  expect(known).toEqual([false, true, false, true]);
});

it('waits no longer for a source that does not heed the signal', async () => {
  const budget = new UploadBudget({ bytesPerSecond: () => Number.POSITIVE_INFINITY, nowMs: Date.now });
  const controller = new AbortController();
  const { signal } = controller;
  const sender = new BodySender({ id: 1, budget, digests: new KeptDigests(), signal, onBytes: () => {} });
  const never: AsyncIterator<Buffer> = { next: () => new Promise(() => {}) };
  const sending = sender.send(never, { bulk: {} as FramedStream, first: 0, kept: true, signed: false });
  const reason = new Error('the peer wants no more');
  controller.abort(reason);
  sender.stopped();
  await expect(sending).rejects.toBe(reason);
});
