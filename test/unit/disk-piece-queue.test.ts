import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { pieceBytes } from '../../src/cache/types.ts';
import { PieceQueue } from '../../src/disk/store/piece-queue.ts';
import { soon } from '../support/until.ts';

test('a queue that is never empty keeps no piece that was taken from it', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const queue = new PieceQueue(64 * pieceBytes, 1024);
  const push = (first: number) =>
    queue.push({ id: 1, first, bytes: Buffer.allocUnsafeSlow(pieceBytes), supersedes: [], dropped: false });
  collect();
  const before = process.memoryUsage().arrayBuffers;
  push(0);
  for (let i = 1; i < 400; i++) {
    push(i * pieceBytes);
    for (const piece of queue.take(pieceBytes + 64)) queue.done(piece);
  }
  expect(queue.length).toBe(1);
  // Memory of buffers is given back by a thread of its own, some time after the collection.
  await soon(() => {
    collect();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * pieceBytes);
  });
});
