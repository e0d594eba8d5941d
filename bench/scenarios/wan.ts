import { setTimeout as sleep } from 'node:timers/promises';
import { type CellNode, metric, ProcessCell } from '../../test/support/cell.ts';
import { Audience } from '../../test/support/cell-audience.ts';
import type { CellMedia } from '../../test/support/cell-media.ts';
import { CellOrigin } from '../../test/support/cell-origin.ts';
import { SplitNetwork, skipsNamespaces } from '../../test/support/split-network.ts';
import { showSentAgain } from '../sent-again.ts';
import { percentile, rounded } from '../statistics.ts';
import type { Bench, Finding, Scenario } from './scenario.ts';

/** 4 Mb/s. */
const media: CellMedia = { segmentMs: 2_000, segmentBytes: 1_000_000, fileBytes: 8_000_000 };
const nodesEach = 2;
const viewersEach = 8;
const links = [
  { name: 'plain', link: undefined },
  { name: '30 ms', link: { delayMs: 30, loss: 0 } },
  { name: '30 ms, 1% lost', link: { delayMs: 30, loss: 0.01 } },
] as const;

/** A cell whose halves are far from each other. */
export const wan: Scenario = {
  id: 'wan',
  title: 'A cell over a long line: 30 ms each way, 1% of the packets lost',
  programs: () => [],
  run: async (bench) => {
    if (skipsNamespaces()) {
      const notes = ['Not measured: network namespaces need root, and ip.'];
      return { findings: [], notes, charts: [], failures: [] };
    }
    const failures: string[] = [];
    const findings: Finding[] = [];
    for (const each of links) findings.push(await measure(bench, { ...each, failures }));
    bench.show('The line', findings);
    const notes = [
      `Two network namespaces, ${nodesEach} nodes in each, ${viewersEach} viewers of a live channel at 4 Mb/s on every node; the origin is near both. A segment that takes longer than the 2 s it plays is a stall for a player with one segment in its buffer.`,
      'The line is real packets through test/support/lossy-link.pl, since this kernel may have no netem. Congestion control is that of the system (cubic).',
    ];
    return { findings, notes, charts: [], failures };
  },
};

async function measure(
  bench: Bench,
  { name, link, failures }: (typeof links)[number] & { failures: string[] },
): Promise<Finding> {
  const network = await SplitNetwork.open(link);
  const origin = await CellOrigin.start({ host: network.hostAddress, media });
  const cell = await ProcessCell.start(0, ['--origin', origin.urlFor(), '--log-level', 'warn']);
  const audience = new Audience({ media, open: () => cell.running });
  try {
    for (const { address, peerAddress, within } of network.halves) {
      const args = ['--listen', `${address}:0`, '--admin', `${address}:0`];
      args.push('--peer-listen', `/ip4/${peerAddress}/tcp/0`);
      for (let i = 0; i < nodesEach; i++) await cell.add({ args, within, adminToken: 'not-on-loopback' });
    }
    await cell.met();
    for (const node of cell.nodes) audience.watchLive(node, viewersEach);
    await sleep(bench.options.quick ? 20_000 : 60_000);
    await audience.stop();
    failures.push(...audience.faults.slice(0, 5).map((fault) => `${name}: ${fault}`));
    if (audience.late.length > 0) failures.push(`${name}: ${audience.late.length} segments came late`);
    await showSentAgain(bench, { origin, cell, asked: audience.askedBytes() });
    return { link: name, ...(await figuresOf(audience, { cell, origin })) };
  } finally {
    await audience.stop();
    await cell.close();
    origin.close();
    await network.close();
  }
}

async function figuresOf(
  audience: Audience<CellNode>,
  { cell, origin }: { cell: ProcessCell; origin: CellOrigin },
): Promise<Finding> {
  const segments = (await origin.count('/live/seg')).bodyBytes / audience.uniqueBytes('/live/seg');
  const peers = await Promise.all(
    cell.nodes.map((node) => metric(node, 'eddy_peer_body_bytes_total', 'direction="in"')),
  );
  const at = (values: readonly number[], share: number) => rounded(percentile(values, share) ?? 0, 3);
  return {
    ...{ segments: audience.wholeMs.length, stalls: audience.late.length, faults: audience.faults.length },
    ...{ firstByteP50Ms: at(audience.firstByteMs, 0.5), firstByteP99Ms: at(audience.firstByteMs, 0.99) },
    ...{ wholeP50Ms: at(audience.wholeMs, 0.5), wholeP99Ms: at(audience.wholeMs, 0.99) },
    ...{ wholeMaxMs: at(audience.wholeMs, 1), amplification: rounded(segments, 3) },
    fromPeersMb: rounded(peers.reduce((sum, each) => sum + each, 0) / 1e6, 3),
  };
}
