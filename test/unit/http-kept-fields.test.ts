import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Recent } from '../../src/cache/recent.ts';
import { AgedFields, storedFields } from '../../src/cache/rules/forwarded-fields.ts';
import { freshnessTerms } from '../../src/cache/rules/freshness.ts';
import { Selecting, varyOf } from '../../src/cache/rules/vary.ts';
import type { Answer, CacheRequest, MapPolicy, StoredResponse } from '../../src/cache/types.ts';
import { Fields } from '../../src/fields.ts';
import { type Reply, ReplyPlanner } from '../../src/http/reply/reply.ts';
import { ReplyFields } from '../../src/http/reply/reply-fields.ts';
import type { Verdict } from '../../src/semantics/preconditions.ts';
import { FakeContent, patternBytes, policyOf } from '../support/fake-cache.ts';
import { fuzzSeed } from '../support/fuzz.ts';

const policy = policyOf();
const stored: StoredResponse = {
  ...{ id: 1, status: 200, completeLength: 10, requestTimeMs: 1_000_000, responseTimeMs: 1_000_000 },
  ...{ vary: [], invalidated: false },
  fields: Fields.of({ 'Cache-Control': 'max-age=100', ETag: '"v"', Date: new Date(1_000_000).toUTCString(), Age: '7' }),
};

describe('the fields of an answer from storage', () => {
  const terms = freshnessTerms(stored, { target: '/', policy });

  it('are the same object as long as Age is the same, and no longer', () => {
    const aged = new AgedFields();
    const at = (nowMs: number, of = stored) => aged.of(of, terms, nowMs);
    expect(at(1_000_000)).toBe(at(1_000_999));
    expect(at(1_000_000).get('age')).toBe('7');
    expect(at(1_001_000).get('age')).toBe('8');
    // A clock that was set back.
    expect(at(1_000_500).get('age')).toBe('7');
    const freshened = { ...stored, fields: stored.fields.with('ETag', '"w"') };
    expect([at(1_000_500, freshened).get('etag'), at(1_000_500).get('etag')]).toEqual(['"w"', '"v"']);
  });

  it('are what they would be if none were kept', () => {
    const aged = new AgedFields();
    for (const [nowMs, age] of [
      [1_000_000, 7],
      [1_000_001, 7],
      [1_059_999, 66],
      [1_060_000, 67],
      [1_000_000, 7],
    ] as const)
      expect(aged.of(stored, terms, nowMs).raw).toEqual(storedFields(stored, age).raw);
  });
});

it('replies at different ages say the same but for Age and what is left of the lifetime', () => {
  const [planner, fresh] = [new ReplyPlanner(), () => new ReplyPlanner()];
  const aged = new AgedFields();
  const terms = freshnessTerms(stored, { target: '/', policy });
  const message = (by: ReplyPlanner, nowMs: number, range?: string): string => {
    const fields = aged.of(stored, terms, nowMs);
    const cacheStatus = { hit: true, ttlSeconds: Math.floor((1_093_000 - nowMs) / 1000) };
    const content = new FakeContent(patternBytes(10));
    const request = { method: 'GET', fields: Fields.of(range === undefined ? {} : { range }), policy } as CacheRequest;
    const reply = by.plan({ kind: 'representation', status: 200, fields, cacheStatus, content }, request) as Reply;
    return reply.fields.message('', '').toString();
  };
  for (const nowMs of [1_000_000, 1_000_500, 1_007_000, 1_003_000, 1_003_000])
    for (const range of [undefined, 'bytes=1-2', 'bytes=3-']) {
      const said = message(planner, nowMs, range);
      expect(said).toBe(message(fresh(), nowMs, range));
      expect(said).toContain(`Age: ${Math.floor(nowMs / 1000) - 993}\r\n`);
      expect(said).toContain(`ttl=${Math.floor((1_093_000 - nowMs) / 1000)};`);
      expect(said.match(/^(?:Age|ETag|Via|Date|Cache-Status|Content-Length): /gm)).toHaveLength(6);
    }
});

describe('the fields of replies', () => {
  const fields = Fields.of({ ETag: '"v"', Age: '7', Date: 'Sat, 01 Jan 2028 00:00:00 GMT' });
  const planner = new ReplyPlanner();
  interface About {
    readonly method?: string;
    readonly ttl?: number;
    readonly with?: MapPolicy;
    readonly length?: number;
    readonly request?: Fields;
    readonly preconditions?: Verdict;
  }
  const plan = (about: About = {}) => {
    const { method = 'GET', ttl = 30, with: asked = policy, length = 10, request = Fields.empty } = about;
    const answer: Answer = {
      ...{ kind: 'representation', status: 200, fields, cacheStatus: { hit: true, ttlSeconds: ttl } },
      content: new FakeContent(patternBytes(length)),
      preconditions: about.preconditions,
    };
    const asking = {
      method,
      target: '/',
      fields: request,
      policy: asked,
      scheme: 'http',
      authority: 'a',
    } as CacheRequest;
    return planner.plan(answer, asking) as Reply;
  };

  it('are made once for replies that are alike', () => {
    const first = plan().fields;
    expect(plan().fields).toBe(first);
    expect(plan({ method: 'HEAD' }).fields).toBe(first);
    const message = first.message('HTTP/1.1 200 OK\r\n', '\r\n');
    const again = first.message('HTTP/1.1 200 OK\r\n', '\r\n');
    expect([Buffer.isBuffer(again), again.toString('latin1')]).toEqual([true, message.toString()]);
  });

  it('follow lifetime, policy and length', () => {
    const line = (reply: Reply, name: string) => new Fields(reply.fields.raw).get(name);
    expect(line(plan(), 'cache-status')).toBe('eddy; hit; ttl=30; detail=ram');
    expect(line(plan({ ttl: 29 }), 'cache-status')).toBe('eddy; hit; ttl=29; detail=ram');
    expect(line(plan({ with: policyOf({ cors: true }) }), 'access-control-allow-origin')).toBe('*');
    expect(line(plan(), 'access-control-allow-origin')).toBeUndefined();
    for (const length of [10, 11, 10]) expect(line(plan({ length }), 'content-length')).toBe(String(length));
    const range = plan({ request: Fields.of({ Range: 'bytes=1-2' }) });
    expect([range.status, line(range, 'content-range')]).toEqual([206, 'bytes 1-2/10']);
    const unchanged = plan({ request: Fields.of({ 'If-None-Match': '"v"' }) });
    expect([unchanged.status, line(unchanged, 'content-length')]).toEqual([304, undefined]);
    expect([plan().status, line(plan(), 'content-length')]).toEqual([200, '10']);
  });

  it('go by what the cache found of the preconditions, where it had to know', () => {
    const request = Fields.of({ 'If-None-Match': '"v"' });
    const statuses = (['perform', 'failed', 'not-modified'] as const).map(
      (preconditions) => plan({ request, preconditions }).status,
    );
    expect(statuses).toEqual([200, 412, 304]);
  });

  it('keep the messages of different responses apart', () => {
    const all = new ReplyFields(['A', '1']).and('B', '2');
    expect(all.raw).toEqual(['A', '1', 'B', '2']);
    for (const [start, tail] of [
      ['x', '\r\n'],
      ['x', '\r\n'],
      ['y', '\r\n'],
      ['x', 'C: 3\r\n\r\n'],
    ] as const) {
      expect(all.message(start, tail).toString()).toBe(`${start}A: 1\r\nB: 2\r\n${tail}`);
    }
  });

  it('that cannot be sent throw each time', () => {
    for (const bad of [
      ['X', 'a\r\nb'],
      ['X Y', 'a'],
      ['X', '\u0100'],
    ]) {
      const all = new ReplyFields(bad);
      expect(() => all.message('', '')).toThrow();
      expect(() => all.message('', '')).toThrow();
    }
  });
});

describe('a stored response that varies', () => {
  it('is selected for the same requests whether or not others matched before', () => {
    const values = fc.constantFrom('gzip', 'GZIP , br', 'br;q=1, gzip', 'br, gzip;q=0.5', 'identity', '', 'x');
    const requests = fc.dictionary(fc.constantFrom('Accept-Encoding', 'Accept-Language', 'X'), values);
    const varies = fc.constantFrom('Accept-Encoding', 'accept-encoding, X', '*', 'Accept-Language, X', '');
    fc.assert(
      fc.property(varies, requests, fc.array(requests, { maxLength: 12 }), (vary, first, others) => {
        const fields = Fields.of(vary === '' ? {} : { Vary: vary });
        const selected = varyOf(fields, Fields.of(first));
        const response = { ...stored, fields, vary: selected === 'any' ? [] : selected };
        const selecting = new Selecting(response);
        for (const each of [first, ...others, first])
          expect(selecting.matches(Fields.of(each))).toBe(new Selecting(response).matches(Fields.of(each)));
      }),
      { seed: fuzzSeed, numRuns: 500 },
    );
  });
});

it('what is kept for recent use is bounded, and what is used stays', () => {
  const recent = new Recent<number, string>(10);
  for (let i = 0; i < 1000; i++) {
    recent.set(i, String(i));
    expect(recent.get(0)).toBe('0');
  }
  const kept = Array.from({ length: 1000 }, (_, i) => recent.get(i)).filter((value) => value !== undefined);
  expect(kept.length).toBeLessThanOrEqual(20);
  expect(recent.get(999)).toBe('999');
});
