import { describe, expect, it } from 'vitest';
import { formatHttpDate, parseHttpDate } from '../../../src/semantics/dates.ts';

const nowMs = Date.UTC(2026, 10, 1, 12);
const exampleMs = Date.UTC(1994, 10, 6, 8, 49, 37);

describe('RFC 9110 section 5.6.7: HTTP-date', () => {
  it.each(['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])(
    'accepts %s',
    (value) => {
      expect(parseHttpDate(value, nowMs)).toBe(exampleMs);
    },
  );

  it('sends IMF-fixdate', () => {
    expect(formatHttpDate(exampleMs + 999)).toBe('Sun, 06 Nov 1994 08:49:37 GMT');
  });

  it('takes a two-digit year more than 50 years ahead for the past', () => {
    expect(parseHttpDate('Thursday, 18-Aug-50 02:01:18 GMT', nowMs)).toBe(Date.UTC(2050, 7, 18, 2, 1, 18));
    expect(parseHttpDate('Tuesday, 18-Aug-76 02:01:18 GMT', nowMs)).toBe(Date.UTC(2076, 7, 18, 2, 1, 18));
    expect(parseHttpDate('Thursday, 18-Aug-77 02:01:18 GMT', nowMs)).toBe(Date.UTC(1977, 7, 18, 2, 1, 18));
  });

  it('RFC 9111 section 4.2: is matched without regard to case', () => {
    for (const value of [
      'SUN, 06 Nov 1994 08:49:37 GMT',
      'Sun, 06 NOV 1994 08:49:37 GMT',
      'sun, 06 nov 1994 08:49:37 gMt',
    ])
      expect(parseHttpDate(value, nowMs)).toBe(exampleMs);
  });

  it('RFC 9111 section 4.2: a leap second is the nearest time that is not later', () => {
    expect(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT', nowMs)).toBe(Date.UTC(2016, 11, 31, 23, 59, 59));
  });

  it('reads years that Date.UTC takes for two-digit ones, and the far future', () => {
    expect(parseHttpDate('Mon, 01 Jan 0099 00:00:00 GMT', nowMs)).toBe(new Date('0099-01-01T00:00:00Z').getTime());
    expect(parseHttpDate('Sun, 21 Nov 2286 04:46:39 GMT', nowMs)).toBe(Date.UTC(2286, 10, 21, 4, 46, 39));
  });

  it.each([
    '0',
    '',
    '-1',
    'foo',
    'Thu, 18 Aug 2050 02:01:18 UTC',
    'Thu, 18 Aug 2050 02:01:18 AEST',
    'Thu, 18 Aug 2050 02:01:18 +0000',
    'Thu, 18 Aug 2050 02:01:18',
    'Thu, 18 Aug 50 02:01:18 GMT',
    'Thu 18 Aug 2050 02:01:18 GMT',
    'Thu, 18  Aug  2050 02:01:18 GMT',
    'Thu, 18-Aug-2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 02.01.18 GMT',
    'Thu, 18 Aug 2050 2:01:18 GMT',
    'Thu, 8 Aug 2050 02:01:18 GMT',
    'Thu, 31 Feb 2050 02:01:18 GMT',
    'Thu, 00 Feb 2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 24:00:00 GMT',
    'Thu, 18 Aug 2050 02:60:18 GMT',
    'Thu, 18 Aug 2050 02:01:61 GMT',
    'Foo, 18 Aug 2050 02:01:18 GMT',
    'Thu, 18 Foo 2050 02:01:18 GMT',
    'Thu, 18 Aug 2050 02:01:18 GMT, Thu, 18 Aug 2050 02:01:18 GMT',
    ' Thu, 18 Aug 2050 02:01:18 GMT',
    '2050-08-18T02:01:18Z',
    'Thu Aug 8 02:01:18 2050',
  ])('refuses %s', (value) => {
    expect(parseHttpDate(value, nowMs)).toBeUndefined();
  });

  it('has no date where there is no field', () => {
    expect(parseHttpDate(undefined, nowMs)).toBeUndefined();
  });
});
