import { expect, it } from 'vitest';
import { tagLengthMax, tagsMax, tagsOf } from '../../src/semantics/tags.ts';
import { fieldsOf } from '../support/stored-response.ts';

it('reads Cache-Tag by commas and Surrogate-Key by spaces or commas, each tag once', () => {
  const fields = fieldsOf([
    ['Cache-Tag', 'a, b c,,a'],
    ['cache-tag', 'd'],
    ['Surrogate-Key', 'e  a\tf'],
    ['Surrogate-Key', 'g,h'],
  ]);
  expect([...tagsOf(fields)]).toEqual(['a', 'b c', 'd', 'e', 'f', 'g', 'h']);
  expect([...tagsOf(fieldsOf({ 'Cache-Tag': '' }))]).toEqual([]);
  expect([...tagsOf(fieldsOf({}))]).toEqual([]);
});

it('bounds how many and how long', () => {
  const many = Array.from({ length: tagsMax + 10 }, (_, i) => `tag-${i}`).join(' ');
  expect(tagsOf(fieldsOf({ 'Surrogate-Key': many })).size).toBe(tagsMax);
  const [long, fits] = ['x'.repeat(tagLengthMax + 1), 'y'.repeat(tagLengthMax)];
  expect([...tagsOf(fieldsOf({ 'Cache-Tag': `${long}, ${fits}` }))]).toEqual([fits]);
});
