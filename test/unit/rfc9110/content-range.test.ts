import { expect, it } from 'vitest';
import { parseContentRange } from '../../../src/semantics/content-range.ts';

it('RFC 9110 section 14.4: a range of bytes with or without complete length', () => {
  expect(parseContentRange('bytes 0-0/1')).toEqual({ first: 0, last: 0, completeLength: 1 });
  expect(parseContentRange('BYTES 42-1233/1234')).toEqual({ first: 42, last: 1233, completeLength: 1234 });
  expect(parseContentRange('bytes 42-1233/*')).toEqual({ first: 42, last: 1233, completeLength: undefined });
});

it.each([
  undefined,
  '',
  'bytes */1234',
  'bytes 5-4/10',
  'bytes 4-10/10',
  'bytes 4-9',
  'bytes=4-9/10',
  'bytes  4-9/10',
  'bytes 4 - 9/10',
  'bytes -9/10',
  'bytes 4-/10',
  'bytes 4-9/x',
  'bytes 4-9/10, bytes 0-1/10',
  'lines 4-9/10',
  'bytes 0-9999999999999999/*',
  'bytes 1e3-2e3/*',
])('RFC 9110 section 14.4: %s is invalid', (value) => {
  expect(parseContentRange(value)).toBeUndefined();
});
