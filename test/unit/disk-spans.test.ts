import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OpenRepresentations } from '../../src/disk/store/open-representations.ts';
import { Spans } from '../../src/disk/store/spans.ts';
import { fuzzSeed } from '../support/fuzz.ts';

describe('spans', () => {
  it('answer as a plain list of pieces would', () => {
    const step = fc.record({
      first: fc.integer({ min: 0, max: 60 }),
      length: fc.integer({ min: 1, max: 20 }),
      drop: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
    });
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const spans = new Spans();
      let model: { first: number; length: number; generation: number; sequence: number }[] = [];
      for (const [i, { first, length, drop }] of steps.entries()) {
        const place = { generation: 1, sequence: i };
        if (drop) {
          const at = spans.at(first);
          if (at !== undefined) spans.drop(first, at);
          model = model.filter((each) => each.first !== first);
          continue;
        }
        const end = first + length;
        const replaced = spans.add({ first, length }, place);
        if (model.some((each) => each.first <= first && each.first + each.length >= end)) {
          expect(replaced).toBeUndefined();
        } else {
          const within = model.filter((each) => each.first >= first && each.first + each.length <= end);
          expect(replaced).toEqual(within.sort((a, b) => a.first - b.first));
          model = [...model.filter((each) => !within.includes(each)), { first, length, ...place }];
        }
        model.sort((a, b) => a.first - b.first);
        expect(spans.count).toBe(model.length);
        for (let offset = 0; offset < 85; offset++) expectFound(spans.find(offset), offset, model);
      }
    });
    fc.assert(property, { seed: fuzzSeed, numRuns: 300 });
  });

  it('move and drop a piece only from where it was', () => {
    const spans = new Spans();
    spans.add({ first: 0, length: 10 }, { generation: 1, sequence: 1 });
    spans.move(0, { generation: 1, sequence: 2 }, { generation: 9, sequence: 9 });
    spans.drop(0, { generation: 2, sequence: 1 });
    expect(spans.at(0)).toEqual({ length: 10, generation: 1, sequence: 1 });
    spans.move(0, { generation: 1, sequence: 1 }, { generation: 2, sequence: 3 });
    expect(spans.at(0)).toEqual({ length: 10, generation: 2, sequence: 3 });
    spans.drop(0, { generation: 2, sequence: 3 });
    expect(spans.find(0)).toBeUndefined();
  });
});

describe('open representations', () => {
  it('close the one that was not used for longest', () => {
    const open = new OpenRepresentations(30);
    const place = { generation: 1, sequence: 1 };
    for (const id of [1, 2, 3]) open.add(id, { first: 0, length: 1 }, place);
    open.find(1, 0);
    open.add(4, { first: 0, length: 1 }, place);
    expect([1, 2, 3, 4].map((id) => open.find(id, 0) !== undefined)).toEqual([true, false, true, true]);
  });
});

/** One that holds the offset if there is any, else the first after it. */
function expectFound(
  found: { first: number; length: number } | undefined,
  offset: number,
  model: readonly { first: number; length: number }[],
): void {
  const holding = model.filter(({ first, length }) => first <= offset && offset < first + length);
  if (holding.length === 0) {
    const next = model.find(({ first }) => first > offset);
    expect(found).toEqual(next && { first: next.first, length: next.length });
    return;
  }
  expect(holding.some(({ first, length }) => found?.first === first && found.length === length)).toBe(true);
}
