import { expect, test } from 'vitest';
import { Fields } from '../../src/fields.ts';
import { UpstreamHealth } from '../../src/origin/health.ts';
import { originDefaults, originSettings, upstreamUrl } from '../../src/origin/origin-map.ts';
import { resumablePart } from '../../src/origin/resume.ts';
import { endToEnd } from '../../src/semantics/hop-by-hop.ts';

const map = { name: 'm', upstreams: ['http://h/'], prefix: '/' };

test('a map gets the documented defaults and may override them', () => {
  expect(originSettings(map)).toEqual({ ...originDefaults, ...map });
  expect(originSettings({ ...map, attemptsMax: 1 }).attemptsMax).toBe(1);
});

test.each([
  [{ prefix: 'live' }, 'origin map m: prefix is live, should be a path that starts with /'],
  [{ upstreams: [] }, 'origin map m: upstreams is [], should be at least one URL'],
  [{ attemptsMax: 0 }, 'origin map m: attemptsMax is 0, should be an integer from 1'],
  [{ queueMax: -1 }, 'origin map m: queueMax is -1, should be an integer from 0'],
  [{ idleTimeoutMs: Number.NaN }, 'origin map m: idleTimeoutMs is NaN, should be an integer from 1'],
])('a map with %j says what is wrong', (wrong, message) => {
  expect(() => originSettings({ ...map, ...wrong })).toThrow(message);
});

test.each(['ftp://h/', 'h:80', '/path', 'http://user:secret@h/', 'http://h/?token=secret', 'http://h/#secret'])(
  'upstream %s is refused without showing what may be secret',
  (text) => {
    expect(() => upstreamUrl(map, text)).toThrow(/^(?!.*secret).*should be an http or https URL/);
  },
);

test('fields of one hop, those that Connection names and those to be dropped are left out', () => {
  const raw = ['A', '1', 'connection', 'B ,  c', 'b', '2', 'C', '3', 'TE', 'x', 'Connection', 'D', 'd', '4', 'E', '5'];
  expect(endToEnd(new Fields(raw), ['e']).raw).toEqual(['A', '1']);
});

test('health: down after three failures in a row, one trial at a time, longer each time', () => {
  let now = 0;
  const states: string[] = [];
  const health = new UpstreamHealth(
    () => now,
    ({ state }) => states.push(state),
  );
  const fail = () => {
    health.begin();
    health.failed('no');
  };
  fail();
  fail();
  health.begin();
  health.succeeded();
  for (let i = 0; i < 2; i++) fail();
  expect(health.available).toBe(true);
  fail();
  expect([health.available, health.report.state]).toEqual([false, 'down']);
  now = 1_000;
  expect(health.available).toBe(true);
  health.begin();
  expect(health.available).toBe(false);
  health.abandoned();
  expect(health.available).toBe(true);
  for (const untilMs of [3_000, 7_000, 15_000, 31_000, 61_000, 91_000]) {
    fail();
    now = untilMs - 1;
    expect(health.available).toBe(false);
    now = untilMs;
    expect(health.available).toBe(true);
  }
  health.begin();
  health.succeeded();
  expect([health.report, states]).toEqual([{ state: 'up', failures: 0, lastError: 'no' }, ['down', 'up']]);
});

const etag = { ETag: '"a"' };
const date = { Date: 'Mon, 01 Jan 2024 00:01:00 GMT' };

test.each([
  [200, { ...etag, 'Content-Length': '10' }, { first: 0, last: 9, completeLength: 10, validator: '"a"' }],
  [206, { ...etag, 'Content-Range': 'bytes 5-9/20' }, { first: 5, last: 9, completeLength: 20, validator: '"a"' }],
  [
    200,
    { ...date, 'Last-Modified': 'Mon, 01 Jan 2024 00:00:00 GMT', 'Content-Length': '1' },
    { first: 0, last: 0, completeLength: 1, validator: 'Mon, 01 Jan 2024 00:00:00 GMT' },
  ],
  [200, { ...date, 'Last-Modified': 'Mon, 01 Jan 2024 00:00:01 GMT', 'Content-Length': '1' }, undefined],
  [200, { 'Last-Modified': 'Mon, 01 Jan 2024 00:00:00 GMT', 'Content-Length': '1' }, undefined],
  [200, { ETag: 'W/"a"', 'Content-Length': '10' }, undefined],
  [200, { ETag: 'a', 'Content-Length': '10' }, undefined],
  [200, etag, undefined],
  [200, { ...etag, 'Content-Length': '0' }, undefined],
  [206, { ...etag, 'Content-Range': 'bytes 5-9/*' }, undefined],
  [206, { ...etag, 'Content-Range': 'bytes 9-5/20' }, undefined],
  [206, { ...etag, 'Content-Range': 'bytes 5-20/20' }, undefined],
  [206, { ...etag, 'Content-Type': 'multipart/byteranges; boundary=x' }, undefined],
  [404, { ...etag, 'Content-Length': '10' }, undefined],
])('%i with %j can be asked for again: %j', (status, fields, part) => {
  expect(resumablePart({ status, fields: Fields.of(fields), requestTimeMs: 0, responseTimeMs: 0 })).toEqual(part);
});
