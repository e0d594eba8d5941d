import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ReadTurn } from '../../src/origin/read-turn.ts';

const turnBytes = 4 * 1024 * 1024;

it('ends the turn of all bodies together after 4 MiB, and lets each go on in the next one', async () => {
  const reads = new ReadTurn();
  const wentOn: string[] = [];
  expect(reads.isOver(turnBytes - 1, () => wentOn.push('a'))).toBe(false);
  expect(reads.isOver(1, () => wentOn.push('b'))).toBe(true);
  expect(reads.isOver(1, () => wentOn.push('c'))).toBe(true);
  expect(wentOn).toEqual([]);
  await turn();
  expect(wentOn).toEqual(['b', 'c']);
  expect(reads.isOver(turnBytes - 1, () => wentOn.push('d'))).toBe(false);
  await turn();
  expect(reads.isOver(turnBytes - 1, () => wentOn.push('e'))).toBe(false);
  await turn();
  expect(wentOn).toEqual(['b', 'c']);
});
