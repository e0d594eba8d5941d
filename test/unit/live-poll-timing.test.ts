import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PollTiming } from '../../src/live/follow/poll-timing.ts';
import { fuzzSeed } from '../support/fuzz.ts';

/** An encoder and who asks it by these times. All in milliseconds. */
function play(encoder: { segmentMs: (i: number) => number; lateMs: (i: number) => number; versions: number }) {
  const roundTripMs = 10;
  const { segmentMs, lateMs, versions } = encoder;
  const appearMs: number[] = [];
  for (let i = 0, endMs = 0; i < versions + 2; i++) {
    endMs += segmentMs(i);
    appearMs.push(endMs + lateMs(i));
  }
  const pollTiming = new PollTiming();
  const lags: number[] = [];
  let [nowMs, seen, asks] = [(appearMs[0] ?? 0) + 700, 0, 0];
  nowMs += pollTiming.changed({ startedMs: nowMs, nowMs }, { seconds: 0, nextSeconds: segmentMs(0) / 1000 });
  while (seen < versions) {
    asks++;
    const startedMs = nowMs;
    nowMs += roundTripMs;
    const newest = appearMs.findLastIndex((each) => each <= startedMs);
    let seconds = 0;
    for (let i = seen + 1; i <= newest; i++) {
      seconds += segmentMs(i) / 1000;
      lags.push(nowMs - (appearMs[i] ?? 0));
    }
    const growth = { seconds, nextSeconds: segmentMs(newest) / 1000 };
    nowMs +=
      newest > seen ? pollTiming.changed({ startedMs, nowMs }, growth) : pollTiming.unchanged({ startedMs, nowMs });
    seen = Math.max(seen, newest);
  }
  const meanLagMs = lags.slice(20).reduce((sum, each) => sum + each, 0) / (lags.length - 20);
  return { asksPerVersion: asks / seen, meanLagMs };
}

const wave = (i: number, size: number) => Math.round(size * Math.sin(i * 12.9898));

describe('the timing of asking for a playlist', () => {
  it.each([
    ['exact segments', { segmentMs: () => 2_000, lateMs: () => 0 }, 150],
    ['a jitter of 40 ms', { segmentMs: () => 2_000, lateMs: (i: number) => wave(i, 20) }, 150],
    ['six seconds', { segmentMs: () => 6_000, lateMs: (i: number) => wave(i, 20) }, 350],
    ['segments that vary by 5%', { segmentMs: (i: number) => 4_000 + wave(i, 200), lateMs: () => 0 }, 400],
    ['a late one now and then', { segmentMs: () => 2_000, lateMs: (i: number) => (i % 29 === 28 ? 1_200 : 0) }, 450],
  ])('finds the moment of the next version with few asks: %s', (_, encoder, lagMsMax) => {
    const { asksPerVersion, meanLagMs } = play({ ...encoder, versions: 200 });
    expect(asksPerVersion).toBeLessThan(1.1);
    expect(meanLagMs).toBeLessThan(lagMsMax);
  });

  it('waits no longer and no shorter than it may, whatever a playlist says of its media', () => {
    const seconds = fc.double({ min: 0, max: 1e15, noNaN: true });
    const step = fc.record({ seconds, nextSeconds: seconds, edgeMs: fc.option(fc.double(), { nil: undefined }) });
    fc.assert(
      fc.property(fc.array(fc.oneof(step, fc.constantFrom('unchanged', 'failed'))), (steps) => {
        const pollTiming = new PollTiming();
        let nowMs = 1_767_225_600_000;
        for (const each of steps) {
          const load = { startedMs: nowMs, nowMs: nowMs + 10 };
          if (each === 'failed') nowMs += pollTiming.failed();
          else nowMs += each === 'unchanged' ? pollTiming.unchanged(load) : pollTiming.changed(load, each);
          expect(nowMs - load.startedMs).toBeGreaterThanOrEqual(100);
          expect(nowMs - load.startedMs).toBeLessThanOrEqual(60_000);
        }
      }),
      { seed: fuzzSeed },
    );
  });

  it('finds it at once where the channel has a clock, in one try that may fail', () => {
    const pollTiming = new PollTiming();
    const [edgeMs, nowMs] = [1_000_000, 1_000_900];
    const delay = pollTiming.changed({ startedMs: nowMs, nowMs }, { seconds: 0, nextSeconds: 2, edgeMs });
    expect(nowMs + delay).toBe(edgeMs + 2_000 + 150);
    const [asked, found] = [nowMs + delay, nowMs + delay + 10];
    const next = pollTiming.changed({ startedMs: asked, nowMs: found }, { seconds: 2, nextSeconds: 2 });
    expect(found + next - (edgeMs + 4_000)).toBeLessThan(200);
  });

  it('is gentle with a playlist that stands still', () => {
    const pollTiming = new PollTiming();
    let nowMs = 1_000_000;
    let asks = 0;
    for (
      let delay = pollTiming.changed({ startedMs: nowMs, nowMs }, { seconds: 0, nextSeconds: 2 });
      asks < 100;
      asks++
    ) {
      nowMs += delay;
      delay = pollTiming.unchanged({ startedMs: nowMs, nowMs });
    }
    expect(nowMs - 1_000_000).toBeGreaterThan(300_000);
  });

  it('asks an origin that fails soon, and then less and less often', () => {
    const pollTiming = new PollTiming();
    pollTiming.changed({ startedMs: 0, nowMs: 0 }, { seconds: 0, nextSeconds: 2 });
    const delays = Array.from({ length: 10 }, () => pollTiming.failed());
    expect([delays[0], delays[9]]).toEqual([500, 1_000]);
    expect(delays).toEqual(delays.toSorted((a, b) => a - b));
  });
});
