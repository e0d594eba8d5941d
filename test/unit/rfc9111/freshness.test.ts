import { describe, expect, it } from 'vitest';
import { freshnessAt, freshnessTerms } from '../../../src/cache/rules/freshness.ts';
import type { MapPolicy, StoredResponse } from '../../../src/cache/types.ts';
import { httpDate, type Lines, policyWith, receivedMs, storedWith } from '../../support/stored-response.ts';

interface Setting {
  readonly target?: string;
  readonly policy?: Partial<MapPolicy>;
  readonly stored?: Partial<StoredResponse>;
}

function lifetime(lines: Lines, { target = '/page', policy = {}, stored = {} }: Setting = {}): number {
  return freshnessTerms(storedWith(lines, stored), { target, policy: policyWith(policy) }).lifetimeSeconds;
}

function at(secondsLater: number, lines: Lines, { target = '/page', policy = {}, stored = {} }: Setting = {}) {
  const nowMs = receivedMs + secondsLater * 1000;
  return freshnessAt(freshnessTerms(storedWith(lines, stored), { target, policy: policyWith(policy) }), nowMs);
}

const dayAgo = httpDate(-86_400);

describe('section 4.2: freshness', () => {
  it('is fresh while its age is less than its lifetime, not when it is equal', () => {
    const lines = { 'Cache-Control': 'max-age=10' };
    expect(at(9.9, lines)).toMatchObject({ fresh: true, ttlSeconds: 0 });
    expect(at(10, lines)).toMatchObject({ fresh: false, ttlSeconds: 0 });
    expect(at(12.5, lines)).toMatchObject({ fresh: false, ttlSeconds: -3, ageSeconds: 12.5 });
  });

  it('a lifetime of 0 is never fresh', () => {
    expect(at(0, { 'Cache-Control': 'max-age=0', Expires: httpDate(3600) }).fresh).toBe(false);
    expect(at(0, { Expires: httpDate(0) }).fresh).toBe(false);
  });

  it('1.2.2: no calculation overflows', () => {
    const lines = { 'Cache-Control': 'max-age=99999999999', Age: '99999999999' };
    expect(at(10, lines)).toMatchObject({ fresh: false, ageSeconds: 2_147_483_648 });
    expect(at(10, { 'Cache-Control': 'max-age=99999999999' }).fresh).toBe(true);
  });
});

describe('section 4.2.1: calculating freshness lifetime', () => {
  it('s-maxage before max-age before Expires, in any order and on any line', () => {
    expect(lifetime({ 'Cache-Control': 'max-age=3600, s-maxage=1' })).toBe(1);
    expect(
      lifetime([
        ['Cache-Control', 's-maxage=1'],
        ['Cache-Control', 'max-age=3600'],
      ]),
    ).toBe(1);
    expect(lifetime({ Expires: httpDate(-10), 'Cache-Control': 'max-age=0, s-maxage=3600' })).toBe(3600);
    expect(lifetime({ Expires: httpDate(-7200), 'Cache-Control': 'max-age=3600' })).toBe(3600);
    expect(lifetime({ Expires: '0', 'Cache-Control': 'max-age=3600' })).toBe(3600);
    expect(lifetime({ Expires: httpDate(3600), 'Cache-Control': 'max-age=0' })).toBe(0);
  });

  it('Expires minus Date; minus the time it came where Date is missing or invalid', () => {
    expect(lifetime({ Date: httpDate(-10), Expires: httpDate(10) })).toBe(20);
    expect(lifetime({ Date: httpDate(400), Expires: httpDate(300) })).toBe(0);
    expect(lifetime({ Date: 'foo', Expires: httpDate(10) })).toBe(10);
    expect(
      freshnessTerms(
        { ...storedWith({}), fields: storedWith({ Expires: httpDate(10) }).fields.without(['date']) },
        { target: '/', policy: policyWith() },
      ).lifetimeSeconds,
    ).toBe(10);
  });

  it('5.3: an Expires that is no date is in the past', () => {
    for (const value of ['0', '-1', 'Thu, 18 Aug 2050 02:01:18 UTC', 'Thu, 18 Aug 2050 2:01:18 GMT', ''])
      expect(at(0, { Expires: value, 'Last-Modified': dayAgo })).toMatchObject({ fresh: false });
  });

  it('of several Expires lines the first counts', () => {
    expect(
      lifetime([
        ['Expires', httpDate(10)],
        ['Expires', httpDate(20)],
      ]),
    ).toBe(10);
    expect(
      lifetime([
        ['Expires', 'x'],
        ['Expires', httpDate(20)],
      ]),
    ).toBe(0);
    expect(lifetime({ Expires: 'Tue, 19 Jan 2038 14:14:08 GMT' })).toBeGreaterThan(0);
  });
});

describe('section 4.2.2: calculating heuristic freshness', () => {
  it('is a share of the time since Last-Modified, up to a cap', () => {
    expect(lifetime({ 'Last-Modified': dayAgo })).toBe(8640);
    expect(lifetime({ 'Last-Modified': dayAgo }, { policy: { heuristicLifetimeSecondsMax: 60 } })).toBe(60);
    expect(at(1, { 'Last-Modified': dayAgo })).toMatchObject({ fresh: true });
    expect(lifetime({ 'Last-Modified': httpDate(100) })).toBe(0);
    expect(lifetime({ 'Last-Modified': 'x' })).toBe(0);
    expect(lifetime({})).toBe(0);
  });

  it.each([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])('a %d may have it', (status) => {
    expect(at(1, { 'Last-Modified': dayAgo }, { stored: { status } }).fresh).toBe(true);
  });

  it.each([201, 202, 302, 403, 502, 503, 504, 599])('a %d only with public', (status) => {
    expect(lifetime({ 'Last-Modified': dayAgo }, { stored: { status } })).toBe(0);
    expect(lifetime({ 'Last-Modified': dayAgo, 'Cache-Control': 'public' }, { stored: { status } })).toBeGreaterThan(0);
  });

  it('is not used where an explicit lifetime is present', () => {
    expect(lifetime({ 'Last-Modified': dayAgo, Expires: httpDate(-5000) })).toBe(0);
    expect(lifetime({ 'Last-Modified': dayAgo, 'Cache-Control': 'max-age=x' })).toBe(0);
    expect(lifetime({ 'Cache-Control': 'max-age=1' }, { target: '/seg-1.m4s' })).toBe(1);
  });

  it('media segments get the lifetime of the map', () => {
    for (const name of [
      'a.ts',
      'a.M4S',
      'a.mp4?x=y.html',
      'a.m4a',
      'a.m4v',
      'a.aac',
      'a.mp3',
      'a.webm',
      'a.vtt',
      'a.cmfv',
    ])
      expect(lifetime({}, { target: `/v/${name}` }), name).toBe(3600);
    for (const name of ['a.key', 'a.html', 'a', 'ts', 'a.ts/', 'a?b=c.ts'])
      expect(lifetime({}, { target: `/v/${name}` }), name).toBe(0);
    expect(lifetime({ 'Content-Type': 'text/html; charset=utf-8' }, { target: '/v/a.ts' })).toBe(0);
    expect(lifetime({}, { target: '/v/a.ts', stored: { status: 404 } })).toBe(5);
    expect(lifetime({}, { target: '/v/a.ts', stored: { status: 301 } })).toBe(0);
  });

  it('playlists are fresh for a second', () => {
    const lines = { 'Last-Modified': dayAgo };
    for (const target of ['/a.m3u8', '/a.MPD?b=c']) expect(lifetime(lines, { target })).toBe(1);
    for (const type of ['application/vnd.apple.mpegurl', 'application/dash+xml;charset=utf-8', 'Audio/MpegURL'])
      expect(lifetime({ ...lines, 'Content-Type': type }, { target: '/live' })).toBe(1);
    expect(lifetime({ 'Cache-Control': 'max-age=60' }, { target: '/a.m3u8' })).toBe(60);
  });

  it('negative responses get a short lifetime of their own', () => {
    for (const status of [404, 405, 410, 414, 501]) {
      expect(lifetime({}, { stored: { status } })).toBe(5);
      expect(lifetime({ 'Last-Modified': dayAgo }, { stored: { status } })).toBe(5);
      expect(lifetime({}, { stored: { status }, policy: { negativeLifetimeSeconds: 0 } })).toBe(0);
    }
    expect(lifetime({ 'Cache-Control': 'max-age=60' }, { stored: { status: 404 } })).toBe(60);
    for (const status of [403, 500, 503]) expect(lifetime({}, { stored: { status } })).toBe(0);
  });
});

describe('section 4.2.3: calculating age', () => {
  const age = (lines: Lines, stored: Partial<StoredResponse> = {}, laterSeconds = 0): number =>
    at(laterSeconds, lines, { stored }).ageSeconds;

  it('adds the delay of the response and the time since to Age', () => {
    expect(age({ Age: '30' }, { requestTimeMs: receivedMs - 2500 }, 7)).toBe(39.5);
  });

  it('is at least the apparent age, in whole seconds as Date has them', () => {
    expect(age({ Date: httpDate(-7200) })).toBe(7200);
    expect(age({ Date: httpDate(-7200), Age: '10' })).toBe(7200);
    expect(age({ Date: httpDate(-10), Age: '25' })).toBe(25);
    expect(
      age({ Date: httpDate(0) }, { responseTimeMs: receivedMs + 999, requestTimeMs: receivedMs + 999 }, 0.999),
    ).toBe(0);
  });

  it('a Date that is ahead or invalid makes nothing younger', () => {
    expect(age({ Date: httpDate(60), Age: '5' }, {}, 1)).toBe(6);
    expect(age({ Date: 'foo' }, {}, 1)).toBe(1);
  });

  it('a clock that was set back makes nothing younger', () => {
    expect(age({ Age: '5' }, {}, -0.9)).toBe(5);
    expect(age({ Age: '5' }, { requestTimeMs: receivedMs + 60_000 })).toBe(5);
  });
});

describe('a clock that was set back', () => {
  const hour = { 'Cache-Control': 'max-age=3600' };

  it('by a little, as clocks are corrected, changes nothing', () => {
    expect(at(-0.9, hour)).toMatchObject({ fresh: true, ageSeconds: 0 });
  });

  it('leaves nothing fresh for as long as it was set back', () => {
    expect(at(-86_400, hour)).toMatchObject({ fresh: false, ageSeconds: 3600, ttlSeconds: 0 });
    expect(at(-86_400, { ...hour, Age: '4000' })).toMatchObject({ fresh: false, ageSeconds: 4000 });
  });
});

describe('section 5.1: Age', () => {
  const fresh = (lines: Lines): boolean => at(3, lines).fresh;
  const hour = { 'Cache-Control': 'max-age=3600' };

  it('an invalid value is ignored', () => {
    for (const value of ['abc', '-7200', '7200.0', '', '7200;foo=bar', '+7200', '0x7200'])
      expect(fresh({ ...hour, Age: value }), value).toBe(true);
  });

  it('of a list the first member counts', () => {
    expect(fresh({ ...hour, Age: '7200, 0' })).toBe(false);
    expect(fresh({ ...hour, Age: '0, 7200' })).toBe(true);
    expect(fresh({ ...hour, Age: '0, 0' })).toBe(true);
    expect(
      fresh([
        ['Cache-Control', 'max-age=3600'],
        ['Age', '7200'],
        ['Age', '0'],
      ]),
    ).toBe(false);
    expect(
      fresh([
        ['Cache-Control', 'max-age=3600'],
        ['Age', '0'],
        ['Age', '7200'],
      ]),
    ).toBe(true);
    expect(
      fresh([
        ['Cache-Control', 'max-age=10000'],
        ['Age', '3600'],
        ['Age', '3600'],
      ]),
    ).toBe(true);
  });

  it('1.2.2: a value beyond 31 bits is old', () => {
    for (const value of ['7200', '2147483647', '2147483648', '2147483649', '9'.repeat(400)])
      expect(fresh({ ...hour, Age: value })).toBe(false);
  });
});
