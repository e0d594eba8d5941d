import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Lull } from '../../src/disk/writer/lull.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test('a lull begins when nothing has come for a moment', () => {
  const { lull, dueMs } = started();
  lull.await();
  vi.advanceTimersByTime(40);
  lull.await();
  vi.advanceTimersByTime(49);
  expect(dueMs).toEqual([]);
  expect(lull.awaited).toBe(true);
  vi.advanceTimersByTime(1);
  expect(dueMs).toEqual([90]);
  expect(lull.awaited).toBe(false);
});

test('what comes without end is not waited for longer than a tenth of a second', () => {
  const { lull, dueMs } = started();
  for (let i = 0; i < 25; i++) {
    lull.await();
    vi.advanceTimersByTime(10);
  }
  expect(dueMs).toEqual([100, 200]);
});

test('after a cancel nothing is due, and a later arrival waits anew', () => {
  const { lull, dueMs } = started();
  lull.await();
  lull.cancel();
  expect(lull.awaited).toBe(false);
  vi.advanceTimersByTime(1_000);
  expect(dueMs).toEqual([]);
  lull.await();
  vi.advanceTimersByTime(50);
  expect(dueMs).toEqual([1_050]);
});

function started(): { lull: Lull; dueMs: number[] } {
  const dueMs: number[] = [];
  const beginMs = performance.now();
  return { lull: new Lull(() => dueMs.push(performance.now() - beginMs)), dueMs };
}
