import fc from 'fast-check';
import { expect, it } from 'vitest';
import { continued, restarted } from '../../src/live/hls/continuation.ts';
import { fuzzCount, fuzzSeed } from '../support/fuzz.ts';
import { hostilePlaylist } from '../support/live/hostile-playlists.ts';

const cases = fuzzCount(2_000);
const targets = { origin: 'http://origin.example', trap: 'http://trap.example' };
const options = { isOurs: () => true, offsetOf: () => 0 };

it(`an origin of hostile playlists that begins anew is continued or not, and nothing is thrown: ${cases} cases`, () => {
  let joined = 0;
  const playlist = hostilePlaylist(targets).map((bytes) => bytes.toString('latin1'));
  fc.assert(
    fc.property(playlist, playlist, playlist, fc.double({ min: 0, noNaN: true }), (old, anew, later, elapsedMs) => {
      const made = restarted(anew, old, { ...options, elapsedMs });
      if (made === undefined) return;
      joined++;
      expect(continued(later, made, options)).toBeTypeOf('string');
    }),
    { seed: fuzzSeed, numRuns: cases },
  );
  expect(joined).toBeGreaterThan(cases / 10);
});
