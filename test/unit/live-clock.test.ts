import { expect, it } from 'vitest';
import { systemClock } from '../../src/live/clock.ts';

it('runs nothing before its time, however far off that is', async () => {
  const ran: string[] = [];
  const cancels = [2 ** 31, 1e13, Number.POSITIVE_INFINITY].map((delayMs) =>
    systemClock.after(delayMs, () => ran.push(`${delayMs} ms`)),
  );
  await new Promise<void>((resolve) => systemClock.after(20, resolve));
  expect(ran).toEqual([]);
  for (const cancel of cancels) cancel();
});
