import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cacheKey, originTarget } from '../../src/cache/key.ts';
import { type Directives, parseCacheControl, parseTargeted } from '../../src/cache/rules/directives.ts';
import { freshen } from '../../src/cache/rules/freshen.ts';
import { freshnessAt, freshnessTerms } from '../../src/cache/rules/freshness.ts';
import { judge, mayServeOnError } from '../../src/cache/rules/reuse.ts';
import { fieldsStored, storable } from '../../src/cache/rules/storable.ts';
import { Selecting, varyOf } from '../../src/cache/rules/vary.ts';
import type { Fields } from '../../src/fields.ts';
import { parseHttpDate } from '../../src/semantics/dates.ts';
import { validatorOf } from '../../src/semantics/validators.ts';
import { fuzzSeed } from '../support/fuzz.ts';
import { fieldsOf, httpDate, policyWith, receivedMs, storedWith } from '../support/stored-response.ts';

console.log(`cache semantics: EDDY_FUZZ_SEED=${fuzzSeed}`);
const runs = { seed: fuzzSeed, numRuns: 10_000 };

const directive = fc.oneof(
  fc.constantFrom('no-store', 'no-cache', 'private', 'public', 'must-revalidate', 'immutable', 'must-understand'),
  fc.constantFrom(
    'no-cache="a"',
    'private="set-cookie, b"',
    'max-age=x',
    'max-age="5"',
    'max-stale',
    'foo="a, no-store"',
  ),
  fc
    .tuple(
      fc.constantFrom('max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error', 'min-fresh', 'max-stale'),
      fc.integer({ min: 0, max: 100 }),
    )
    .map(([name, value]) => `${name}=${value}`),
  fc.string({ maxLength: 12 }),
);
const cacheControl = fc.array(directive, { maxLength: 4 }).map((all) => all.join(', '));
const seconds = fc.integer({ min: -200, max: 200 });
const lines = fc.array(
  fc.oneof(
    cacheControl.map((value) => ['Cache-Control', value] as const),
    cacheControl.map((value) => ['CDN-Cache-Control', value] as const),
    seconds.map((value) => ['Expires', httpDate(value)] as const),
    seconds.map((value) => ['Date', httpDate(value)] as const),
    seconds.map((value) => ['Last-Modified', httpDate(value)] as const),
    seconds.map((value) => ['Age', String(value)] as const),
    fc.tuple(
      fc.constantFrom('Vary', 'ETag', 'Age', 'Date', 'Expires', 'Content-Range', 'Connection', 'X', 'Accept-Encoding'),
      fc.string({ maxLength: 20 }),
    ),
  ),
  { maxLength: 6 },
);
const policy = policyWith();

it('RFC 9111 section 4: never answers with what may not be used', () => {
  fc.assert(
    fc.property(lines, lines, fc.integer({ min: 0, max: 300 }), (stored, asked, later) => {
      const response = storedWith(stored);
      const request = { target: '/a.ts', fields: fieldsOf(asked), policy };
      const nowMs = receivedMs + later * 1000;
      const terms = freshnessTerms(response, request);
      const { use } = judge(terms, request, nowMs);
      const freshness = freshnessAt(terms, nowMs);
      const governing = governingOf(response.fields);
      const withheld =
        (governing.noStore && !governing.mustUnderstand) || governing.noCache === true || governing.private === true;
      if (withheld) expect(use).toBe('revalidate');
      const strict = governing.mustRevalidate || governing.sMaxageSeconds !== undefined;
      if (strict && !freshness.fresh) expect(use).toBe('revalidate');
      if (withheld || (strict && !freshness.fresh)) expect(mayServeOnError(terms, request, nowMs)).toBe(false);
      expect(freshness.ageSeconds).toBeGreaterThanOrEqual(later);
      expect(Number.isSafeInteger(freshness.ttlSeconds)).toBe(true);
    }),
    runs,
  );
});

it('RFC 9111 section 3: never stores what may not be stored', () => {
  fc.assert(
    fc.property(lines, lines, fc.integer({ min: 100, max: 700 }), (received, asked, status) => {
      const response = { status, fields: fieldsOf(received) };
      const request = { method: 'GET', target: '/a', fields: fieldsOf(asked), policy };
      if (!storable(request, response)) return;
      const governing = governingOf(response.fields);
      expect(governing.private).not.toBe(true);
      expect(governing.noStore && !governing.mustUnderstand).toBe(false);
      expect(varyOf(response.fields, request.fields)).not.toBe('any');
      const kept = fieldsStored(response.fields, { status, targetedFields: policy.targetedFields });
      for (const name of ['connection', 'content-length']) expect(kept.has(name)).toBe(false);
    }),
    runs,
  );
});

it('RFC 9111 section 4.1: what a request stored, the same request finds', () => {
  fc.assert(
    fc.property(lines, lines, (received, asked) => {
      const fields = fieldsOf(received);
      const vary = varyOf(fields, fieldsOf(asked));
      if (vary === 'any') return;
      expect(new Selecting(storedWith(received, { vary })).matches(fieldsOf(asked))).toBe(true);
    }),
    runs,
  );
});

it('RFC 9111 section 4.3.4: an update never leaves a response older than it is', () => {
  fc.assert(
    fc.property(lines, lines, (stored, news) => {
      const update = { fields: fieldsOf(news), requestTimeMs: receivedMs + 5000, responseTimeMs: receivedMs + 6000 };
      const after = freshen(storedWith(stored), update, { fields: fieldsOf({}), policy });
      expect(after.responseTimeMs).toBe(receivedMs + 6000);
      expect(parseHttpDate(after.fields.get('date'), receivedMs)).toBeDefined();
      validatorOf(after.fields);
    }),
    runs,
  );
});

it('a key never joins targets that the origin sees as different, but for what is ignored', () => {
  const target = fc.stringMatching(/^\/[a-z%2Ff.]{0,8}(\?[a-z=&%2]{0,12})?$/);
  fc.assert(
    fc.property(target, target, (a, b) => {
      const same = (text: string): string => decodeUnreserved(text).replace(/^([^?]*)\?$/, '$1');
      expect(cacheKey({ target: a, policy }) === cacheKey({ target: b, policy })).toBe(same(a) === same(b));
      expect(originTarget(a)).toBe(a);
    }),
    runs,
  );
});

function governingOf(fields: Fields): Directives {
  return parseTargeted(fields.get('cdn-cache-control')) ?? parseCacheControl(fields.get('cache-control'));
}

function decodeUnreserved(text: string): string {
  return text.replace(/%[0-9a-f]{2}/gi, (hex) => {
    const decoded = String.fromCharCode(Number.parseInt(hex.slice(1), 16));
    return /[\w.~-]/.test(decoded) ? decoded : hex.toUpperCase();
  });
}
