import { expect, it } from 'vitest';
import { sentAgain } from '../../bench/sent-again.ts';
import type { SentBody } from '../support/cell-origin.ts';

function sent(by: string, about: { first?: number; bytes: number; fromMs: number; toMs?: number }): SentBody {
  return { by, etag: '"v1"', asked: 'all', first: 0, toMs: about.fromMs + 10, ...about };
}

function of(path: string, bodies: readonly SentBody[]) {
  return [path, { requests: bodies.length, bodyBytes: 0, bodies }] as const;
}

it('what an origin sent beyond what was asked for is told by cause', () => {
  const paths = [
    of('/once', [sent('1', { bytes: 600, fromMs: 0 }), sent('2', { first: 600, bytes: 400, fromMs: 50 })]),
    of('/at-once', [sent('1', { bytes: 1_000_000, fromMs: 0 }), sent('2', { bytes: 1_000_000, fromMs: 5 })]),
    of('/later', [sent('1', { bytes: 500_000, fromMs: 0 }), sent('2', { first: 400_000, bytes: 600_000, fromMs: 90 })]),
    of('/again', [sent('1', { bytes: 1_000_000, fromMs: 0 }), sent('1', { bytes: 300_000, fromMs: 90 })]),
    of('/ahead', [sent('3', { bytes: 250_000, fromMs: 0 })]),
  ];
  const asked = new Map([
    ['/once "v1"', 1_000],
    ['/at-once "v1"', 1_000_000],
    ['/later "v1"', 1_000_000],
    ['/again "v1"', 1_000_000],
  ]);
  expect(sentAgain(paths, asked)).toEqual([
    { cause: 'nobody asked', times: 1, mb: 0.25, largest: '/ahead', who: 'node 3' },
    { cause: 'the same node again', times: 1, mb: 0.3, largest: '/again', who: 'node 1 (all) 90 ms after node 1' },
    { cause: 'two nodes at once', times: 1, mb: 1, largest: '/at-once', who: 'node 2 (all) 5 ms after node 1' },
    { cause: 'another node later', times: 1, mb: 0.1, largest: '/later', who: 'node 2 (all) 90 ms after node 1' },
  ]);
});
