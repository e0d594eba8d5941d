import { expect, test } from 'vitest';
import { createRequestCounts } from '../../src/metrics/requests.ts';

const finished = { method: 'GET', status: 200, hit: true, fwd: undefined, bytes: 100, durationMs: 2, firstByteMs: 1 };

test('counts that were taken in one place and added in another are the same, and are counted once', () => {
  const [thread, main] = [createRequestCounts(), createRequestCounts()];
  for (const counts of [thread, main]) {
    counts.started();
    counts.started();
    counts.finished(finished);
  }
  main.add(thread.take());
  main.add(thread.take());
  expect(main.totals()).toEqual({ total: 2, hits: 2, inFlight: 2, bytes: 200 });
  expect(main.rows()).toEqual([[{ method: 'GET', status: '200', fwd: 'none' }, 2]]);
  expect(thread.totals()).toEqual({ total: 0, hits: 0, inFlight: 0, bytes: 0 });
  main.forget(1);
  expect(main.totals().inFlight).toBe(1);
  expect(main.take().duration.counts.reduce((sum, count) => sum + count, 0)).toBe(2);
});
