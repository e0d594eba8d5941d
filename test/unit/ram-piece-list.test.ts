import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PieceSpan } from '../../src/cache/types.ts';
import { PieceList } from '../../src/ram/piece-list.ts';
import { fuzzSeed } from '../support/fuzz.ts';

const span = fc.record({ first: fc.nat(60), length: fc.integer({ min: 1, max: 30 }) });
const end = ({ first, length }: PieceSpan) => first + length;
const holds = (piece: PieceSpan, offset: number) => piece.first <= offset && offset < end(piece);

describe('PieceList', () => {
  it('answers like a plain search over what was added and not deleted', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: span.map((piece) => ({ act: 'add' as const, piece })) },
      { weight: 1, arbitrary: fc.nat().map((nth) => ({ act: 'delete' as const, nth })) },
    );
    const property = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const list = new PieceList<PieceSpan>();
      const model = new Set<PieceSpan>();
      for (const each of steps) {
        if (each.act === 'add') addToBoth(list, model, each.piece);
        else deleteFromBoth(list, model, each.nth);
        expect([...list]).toEqual([...model].sort((a, b) => a.first - b.first));
        for (let offset = 0; offset < 95; offset++) expect(list.find(offset)).toBe(searched(model, offset));
      }
    });
    fc.assert(property, { seed: fuzzSeed, numRuns: 200 });
  });

  it('takes only the piece that begins exactly there', () => {
    const list = new PieceList<PieceSpan>();
    const piece = { first: 10, length: 5 };
    list.add(piece);
    expect(list.get(10)).toBe(piece);
    expect(list.get(9)).toBeUndefined();
    expect(list.get(11)).toBeUndefined();
  });
});

function addToBoth(list: PieceList<PieceSpan>, model: Set<PieceSpan>, piece: PieceSpan): void {
  const covered = [...model].some((each) => each.first <= piece.first && end(each) >= end(piece));
  const replaced = list.add(piece);
  expect(replaced === undefined).toBe(covered);
  if (covered) return;
  const inside = [...model].filter((each) => each.first >= piece.first && end(each) <= end(piece));
  expect(new Set(replaced)).toEqual(new Set(inside));
  for (const each of inside) model.delete(each);
  model.add(piece);
}

function deleteFromBoth(list: PieceList<PieceSpan>, model: Set<PieceSpan>, nth: number): void {
  const piece = [...model][nth % Math.max(1, model.size)];
  if (piece === undefined) return;
  list.delete(piece);
  model.delete(piece);
}

function searched(model: Set<PieceSpan>, offset: number): PieceSpan | undefined {
  const holding = [...model].filter((each) => holds(each, offset)).sort((a, b) => end(b) - end(a));
  const after = [...model].filter((each) => each.first > offset).sort((a, b) => a.first - b.first);
  return holding[0] ?? after[0];
}
