import { type CellNode, metricText } from '../../test/support/cell.ts';
import { parseMetrics } from '../admin.ts';
import { get } from '../get.ts';

/** What the nodes of a cell measured themselves, in milliseconds. The upper bounds of the buckets that the values fell in. */
export interface NodeTimes {
  /** From the owner learning of a version to the last byte of a held request's answer in the kernel; all nodes together. */
  readonly releaseP50Ms: number | undefined;
  readonly releaseP99Ms: number | undefined;
  /** From the owner learning of a version to a member being told. */
  readonly toldP99Ms: number | undefined;
}

/** The first node that is told what is new of these playlists, as most nodes of a large cell are, and asks no origin for it; else the last. */
export async function memberOf(
  nodes: readonly CellNode[],
  playlists: readonly string[],
): Promise<CellNode | undefined> {
  for (const node of nodes) {
    for (const playlist of playlists) await get(new URL(playlist, node.http).href);
    const { streams } = JSON.parse((await get(`${node.admin}/api/streams`)).body.toString()) as {
      streams: readonly { readonly role: string }[];
    };
    if (streams.every(({ role }) => role === 'member')) return node;
  }
  return nodes.at(-1);
}

/** Counts by bucket so far, to be taken from later ones. */
export type NodeCounts = ReadonlyMap<string, number>;

export async function countsOf(nodes: readonly CellNode[]): Promise<NodeCounts> {
  const sums = new Map<string, number>();
  for (const text of await Promise.all(nodes.map(metricText)))
    for (const [name, value] of parseMetrics(text))
      if (name.startsWith('eddy_live_')) sums.set(name, (sums.get(name) ?? 0) + value);
  return sums;
}

export function timesBetween(from: NodeCounts, to: NodeCounts): NodeTimes {
  const at = (name: string, share: number) => bucketAt(name, { from, to, share });
  return {
    releaseP50Ms: at('eddy_live_release_seconds', 0.5),
    releaseP99Ms: at('eddy_live_release_seconds', 0.99),
    toldP99Ms: at('eddy_live_told_seconds', 0.99),
  };
}

/** Within a bucket values are taken to be spread evenly. */
function bucketAt(
  name: string,
  { from, to, share }: { from: NodeCounts; to: NodeCounts; share: number },
): number | undefined {
  const buckets = [...to]
    .flatMap(([sample, count]) => {
      const bound = new RegExp(`^${name}_bucket\\{le="([^"]+)"\\}$`).exec(sample)?.[1];
      const counted = count - (from.get(sample) ?? 0);
      return bound === undefined
        ? []
        : [{ bound: bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound), counted }];
    })
    .toSorted((a, b) => a.bound - b.bound);
  const wanted = share * (buckets.at(-1)?.counted ?? 0);
  if (wanted === 0) return undefined;
  let [low, below] = [0, 0];
  for (const { bound, counted } of buckets) {
    if (counted >= wanted && Number.isFinite(bound))
      return 1000 * (low + ((bound - low) * (wanted - below)) / Math.max(1, counted - below));
    [low, below] = [Number.isFinite(bound) ? bound : low, counted];
  }
  return 1000 * low;
}
