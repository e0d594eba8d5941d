import { afterEach, expect, test, vi } from 'vitest';
import { Flight } from '../../src/cache/flight/flight.ts';
import { Holding } from '../../src/cache/flight/held-pieces.ts';
import { Reader } from '../../src/cache/flight/reader.ts';

const keeper = { put: () => {}, has: () => false };

afterEach(() => {
  vi.useRealTimers();
});

test('a reader is told of the first bytes at once, of little ones at the end of the turn, of 128 KiB at once', () => {
  vi.useFakeTimers();
  const flight = new Flight({ first: 0, last: 999_999 }, { keeper, holding: new Holding(64e6) });
  const wakes = wakesOf(flight);
  flight.append(Buffer.alloc(1_000));
  expect(wakes.count).toBe(1);
  for (let i = 0; i < 3; i++) flight.append(Buffer.alloc(16 * 1024));
  expect(wakes.count).toBe(1);
  vi.runAllTimers();
  expect(wakes.count).toBe(2);
  for (let i = 0; i < 8; i++) flight.append(Buffer.alloc(16 * 1024));
  expect(wakes.count).toBe(3);
});

test('a reader is told of the end at once, with what had not been told', () => {
  vi.useFakeTimers();
  const flight = new Flight({ first: 0, last: 1_999 }, { keeper, holding: new Holding(64e6) });
  const wakes = wakesOf(flight);
  flight.append(Buffer.alloc(1_000));
  flight.append(Buffer.alloc(1_000));
  flight.end();
  expect(wakes.count).toBe(2);
  expect(flight.take(1_000)?.length).toBe(1_000);
});

/** How often somebody who waits there is woken. */
function wakesOf(flight: Flight): { count: number } {
  const reader = new Reader({ first: 0, last: undefined }, new AbortController().signal);
  void flight.wait(reader);
  const wakes = { count: 0 };
  vi.spyOn(reader, 'wake').mockImplementation(() => {
    wakes.count++;
  });
  return wakes;
}
