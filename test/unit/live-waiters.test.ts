import { describe, expect, it } from 'vitest';
import { released, Waiters } from '../../src/live/follow/waiters.ts';
import { HandClock } from '../support/hand-clock.ts';

const forMs = 6_000;

function held() {
  const clock = new HandClock();
  const waiters = new Waiters<string>(clock);
  const given: (string | undefined)[] = [];
  const add = (msn: number) =>
    waiters.add({ msn, part: undefined }, { forMs, release: (value) => given.push(value && `${msn} ${value}`) });
  return { clock, waiters, given, add };
}

describe('held requests', () => {
  it('are released once, in the order they came, when what they want is there', () => {
    const { waiters, given, add } = held();
    for (const msn of [5, 6, 5]) add(msn);
    waiters.release('a', ({ msn }) => msn <= 5);
    expect([given, waiters.size]).toEqual([['5 a', '5 a'], 1]);
    waiters.release('b', () => true);
    waiters.release('c', () => true);
    expect([given, waiters.size]).toEqual([['5 a', '5 a', '6 b'], 0]);
  });

  it('may come again while others are released, and wait for the next', () => {
    const { waiters, given, add } = held();
    const again = { forMs, release: () => void add(6) };
    waiters.add({ msn: 5, part: undefined }, again);
    add(5);
    waiters.release('a', () => true);
    expect([given, waiters.size]).toEqual([['5 a'], 1]);
  });

  it('are let go when their time is up, each at its own', () => {
    const { clock, given, add, waiters } = held();
    add(5);
    clock.turn(4_000);
    add(6);
    clock.turn(1_999);
    expect(given).toEqual([]);
    clock.turn(1);
    expect([given, waiters.size]).toEqual([[undefined], 1]);
    clock.turn(4_000);
    expect([given, waiters.size]).toEqual([[undefined, undefined], 0]);
    expect(clock.turnToNext(60_000)).toBe(false);
  });

  it('are let go in time where others are held for longer', () => {
    const { clock, given, add, waiters } = held();
    add(5);
    waiters.add({ msn: 5, part: undefined }, { forMs: 500, release: (value) => given.push(`soon ${value}`) });
    clock.turn(500);
    expect([given, waiters.size]).toEqual([['soon undefined'], 1]);
    clock.turn(5_500);
    expect([given, waiters.size]).toEqual([['soon undefined', undefined], 0]);
  });

  it('may leave, and then no timer is left', () => {
    const { clock, given, add, waiters } = held();
    const leave = add(5);
    leave?.();
    waiters.release('a', () => true);
    expect([given, waiters.size]).toEqual([[], 0]);
    expect(clock.turnToNext(60_000)).toBe(false);
  });

  it('may be awaited until their viewer is gone', async () => {
    const { waiters } = held();
    const hold = (release: (value: string | undefined) => void) =>
      waiters.add({ msn: 5, part: undefined }, { forMs, release });
    const gone = new AbortController();
    const [one, other] = [released(hold, gone.signal), released(hold, new AbortController().signal)];
    gone.abort(new Error('gone'));
    await expect(one).rejects.toThrow('gone');
    expect(waiters.size).toBe(1);
    waiters.release('a', () => true);
    expect(await other).toBe('a');
  });
});
