import { describe, expect, it } from 'vitest';
import {
  passedFields,
  passedRequestFields,
  requestFieldsForOrigin,
  storedFields,
} from '../../../src/cache/rules/forwarded-fields.ts';
import type { Fields } from '../../../src/fields.ts';
import { fieldsOf, httpDate, receivedMs, storedWith } from '../../support/stored-response.ts';

const names = (fields: Fields): string[] => [...fields.lines()].map(([name]) => name);

describe('fields of an answer from storage', () => {
  const lines = {
    Date: httpDate(-5),
    Age: '30',
    Via: '1.0 fred',
    'CDN-Cache-Control': 'max-age=1',
    'Set-Cookie': 'a=b',
  };

  it('RFC 9111 section 4: Age replaces the one that was received', () => {
    expect(storedFields(storedWith(lines), 33).all('age')).toEqual(['33']);
    expect(storedFields(storedWith({}), 0).get('age')).toBe('0');
  });

  it('RFC 9110 section 6.6.1: Date stays, and is added where it was missing', () => {
    expect(storedFields(storedWith(lines), 3).all('date')).toEqual([httpDate(-5)]);
    const stored = storedWith({});
    const dateless = { ...stored, fields: stored.fields.without(['date']) };
    expect(storedFields(dateless, 3).get('date')).toBe(httpDate(0));
  });

  it('RFC 9110 section 7.6.3: Via is appended', () => {
    expect(storedFields(storedWith(lines), 0).get('via')).toBe('1.0 fred, 1.1 eddy');
  });

  it('RFC 9213 section 2.2: targeted fields go on', () => {
    expect(storedFields(storedWith(lines), 0).get('cdn-cache-control')).toBe('max-age=1');
  });
});

describe('fields that are passed on', () => {
  it('RFC 9110 section 7.6.1: of a response, without those of the connection', () => {
    const passed = passedFields(
      fieldsOf({ Connection: 'a', a: '1', b: '2', 'Transfer-Encoding': 'x', Age: '3' }),
      receivedMs,
    );
    expect(names(passed)).toEqual(['b', 'Age', 'Date', 'Via']);
    expect(passed.get('date')).toBe(httpDate(0));
    expect(passedFields(fieldsOf({ Date: 'foo' }), receivedMs).all('date')).toEqual([httpDate(0)]);
  });

  const request = {
    Host: 'edge',
    Connection: 'a, TE',
    a: '1',
    TE: 'gzip',
    Range: 'bytes=0-1',
    'If-Range': '"a"',
    'If-None-Match': '"a"',
    'If-Match': '"a"',
    'If-Modified-Since': httpDate(0),
    'If-Unmodified-Since': httpDate(0),
    'Proxy-Authorization': 'x',
    Authorization: 'y',
    'Accept-Encoding': 'gzip',
    'Cache-Control': 'no-transform',
    'CMCD-Request': 'bl=1',
    'cmcd-object': 'br=1',
    'CMCD-Status': 'bs',
    'CMCD-Session': 'sid="x"',
  };

  it('of a request the cache answers, without its conditions and ranges', () => {
    const kept = ['Authorization', 'Accept-Encoding', 'Cache-Control', 'Via'];
    expect(names(requestFieldsForOrigin(fieldsOf(request)))).toEqual(kept);
    expect(requestFieldsForOrigin(fieldsOf({ Via: '1.0 fred' })).get('via')).toBe('1.0 fred, 1.1 eddy');
  });

  it('of a request the cache has no part in, with them', () => {
    const kept = ['Range', 'If-Range', 'If-None-Match', 'If-Match', 'If-Modified-Since', 'If-Unmodified-Since'];
    expect(names(passedRequestFields(fieldsOf(request)))).toEqual([
      ...kept,
      'Authorization',
      'Accept-Encoding',
      'Cache-Control',
      'Via',
    ]);
  });
});
