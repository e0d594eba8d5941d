import { metricText, type ProcessCell } from '../test/support/cell.ts';
import { playlistPath } from '../test/support/cell-media.ts';
import type { CellOrigin, CellOriginReport, SentBody } from '../test/support/cell-origin.ts';
import { parseMetrics } from './admin.ts';
import type { Bench, Finding } from './scenarios/scenario.ts';
import { rounded, sum } from './statistics.ts';

const causes = ['nobody asked', 'the same node again', 'two nodes at once', 'another node later'] as const;
type Cause = (typeof causes)[number];

interface Wasted {
  readonly cause: Cause;
  readonly path: string;
  readonly bytes: number;
  readonly who: string;
}

export interface SentAgainOptions {
  readonly origin: CellOrigin;
  readonly cell: ProcessCell;
  /** Bytes that viewers asked for of each path and ETag. */
  readonly asked: ReadonlyMap<string, number>;
}

/** Prints why the origin sent more than was asked for, if it did: what it sent so, and how nodes' requests to each other went. */
export async function showSentAgain(bench: Bench, { origin, cell, asked }: SentAgainOptions): Promise<void> {
  const findings = sentAgain(await origin.paths(), asked);
  if (findings.length === 0) return;
  bench.show('Sent by the origin beyond what was asked for', findings);
  const outcomes = new Map<string, number>();
  for (const node of cell.running)
    for (const [name, value] of parseMetrics(await metricText(node))) {
      const outcome = /^eddy_peer_requests_total\{direction="out",outcome="(\w+)"\}$/.exec(name)?.[1];
      if (outcome !== undefined && value > 0) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + value);
    }
  bench.show('How requests to peers ended', [Object.fromEntries(outcomes)]);
}

/** What of its media the origin of a cell sent beyond what viewers asked for, by cause. */
export function sentAgain(paths: CellOriginReport['paths'], asked: SentAgainOptions['asked']): readonly Finding[] {
  const media = paths.filter(([path]) => path !== playlistPath);
  const all = media.flatMap(([path, { bodies }]) =>
    [...Map.groupBy(bodies, ({ etag }) => etag)].flatMap(([etag, ofOne]) =>
      wastedOn(path, ofOne, asked.get(`${path} ${etag}`) ?? 0),
    ),
  );
  return causes.flatMap((cause) => {
    const of = all.filter((each) => each.cause === cause);
    if (of.length === 0) return [];
    const [{ path = '', who = '' } = {}] = of.toSorted((a, b) => b.bytes - a.bytes);
    return { cause, times: of.length, mb: rounded(sum(of.map(({ bytes }) => bytes)) / 1e6, 3), largest: path, who };
  });
}

/** Of one version of a resource. */
function wastedOn(path: string, bodies: readonly SentBody[], askedBytes: number): readonly Wasted[] {
  const wasted: Wasted[] = [];
  const before: SentBody[] = [];
  let unique = 0;
  for (const body of bodies.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const same = before.filter((each) => overlap(each, body) > 0);
    const bytes = covered(body, same);
    unique += body.bytes - bytes;
    before.push(body);
    const first = same[0];
    if (bytes === 0 || first === undefined) continue;
    const under = same.find(({ toMs = Number.POSITIVE_INFINITY }) => toMs > body.fromMs);
    const others = under === undefined ? 'another node later' : 'two nodes at once';
    const cause = same.some(({ by }) => by === body.by) ? 'the same node again' : others;
    const afterMs = Math.round(body.fromMs - first.fromMs);
    wasted.push({ cause, path, bytes, who: `node ${body.by} (${body.asked}) ${afterMs} ms after node ${first.by}` });
  }
  const unasked = unique - askedBytes;
  if (unasked > 0) wasted.push({ cause: 'nobody asked', path, bytes: unasked, who: `node ${bodies[0]?.by}` });
  return wasted;
}

function overlap(a: SentBody, b: SentBody): number {
  return Math.max(0, Math.min(a.first + a.bytes, b.first + b.bytes) - Math.max(a.first, b.first));
}

/** Bytes of a body that others have too. */
function covered(body: SentBody, others: readonly SentBody[]): number {
  let bytes = 0;
  let at = body.first;
  for (const { first, bytes: length } of others.toSorted((a, b) => a.first - b.first)) {
    const from = Math.max(at, first);
    const to = Math.min(body.first + body.bytes, first + length);
    if (to <= from) continue;
    bytes += to - from;
    at = to;
  }
  return bytes;
}
