import { onTestFinished } from 'vitest';
import { type Edge, type EdgeOptions, startEdge } from './edge.ts';
import { HandClock } from './hand-clock.ts';
import { startOrigin, type TestOrigin } from './origin.ts';
import { until } from './until.ts';

/** An origin and an edge before it, whose live mirror goes by a clock that the test turns. */
export interface LiveStage {
  readonly clock: HandClock;
  readonly edge: Edge;
  readonly origin: TestOrigin;
  /** Lets the mirror ask once more, and waits for what it then knows. */
  poll(): Promise<void>;
}

/** Both are closed when the test is over. */
export async function liveStage(
  routes: Parameters<typeof startOrigin>[0],
  { clock = new HandClock(), ...options }: Partial<EdgeOptions> & { readonly clock?: HandClock } = {},
): Promise<LiveStage> {
  const origin = await startOrigin(routes);
  onTestFinished(() => origin.close());
  const edge = await startEdge({ origins: [origin.url], liveClock: clock, now: () => clock.nowMs(), ...options });
  onTestFinished(() => edge.close());
  const poll = async (): Promise<void> => {
    const before = edge.live.polls;
    clock.turnToNext(60_000);
    await until(() => edge.live.polls > before, 'a poll');
  };
  return { clock, edge, origin, poll };
}
