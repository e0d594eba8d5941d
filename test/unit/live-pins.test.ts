import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { EddyError } from '../../src/errors.ts';
import { Pins } from '../../src/live/channels/pins.ts';
import { testPolicy } from '../support/edge.ts';
import { HandClock } from '../support/hand-clock.ts';
import { liveDefaults } from '../support/live-defaults.ts';

const live = { ...liveDefaults, follow: ['/slow.m3u8', '/a.m3u8', '/b.m3u8'] };

it('pinned playlists are each asked for by themselves: a slow one is not asked for again meanwhile, and holds up no other', async () => {
  const clock = new HandClock();
  const asked: string[] = [];
  const slow = Promise.withResolvers<never>();
  const pins = new Pins({
    maps: () => [{ name: testPolicy.name, prefix: '/', origins: [], live }],
    policies: () => [testPolicy],
    clock,
    answer: async ({ target }) => {
      asked.push(target);
      if (target === '/slow.m3u8') return slow.promise;
      throw new EddyError('origin-refused', 'the origin is down', { side: 'upstream' });
    },
    renditions: ({ target }) => (target === '/a.m3u8' ? ['/a-1.m3u8', '/a-2.m3u8'] : []),
  });
  pins.start();
  const others = ['/a.m3u8', '/b.m3u8', '/a-1.m3u8', '/a-2.m3u8'];
  await turn();
  expect(asked).toEqual(['/slow.m3u8', ...others]);
  clock.turn(5_000);
  await turn();
  expect(asked).toEqual(['/slow.m3u8', ...others, ...others]);
  slow.reject(new Error('gone'));
  await turn();
  clock.turn(5_000);
  await turn();
  expect(asked.filter((target) => target === '/slow.m3u8')).toHaveLength(2);
  pins.close();
  clock.turn(60_000);
  await turn();
  expect(asked).toHaveLength(14);
});
