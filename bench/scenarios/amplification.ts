import { ProcessCell } from '../../test/support/cell.ts';
import type { CellMedia } from '../../test/support/cell-media.ts';
import { CellOrigin } from '../../test/support/cell-origin.ts';
import type { AudienceClientOptions, AudienceClientResult } from '../clients/audience.ts';
import { runClient } from '../clients/client.ts';
import { usageOf } from '../proc.ts';
import { showSentAgain } from '../sent-again.ts';
import { nginxVariants, startNginx } from '../servers/nginx.ts';
import type { Server } from '../servers/server.ts';
import { rounded } from '../statistics.ts';
import type { Bench, Finding, Scenario } from './scenario.ts';

/** 1 Mb/s live, so that 20 nodes and 320 viewers fit two cores. */
const media: CellMedia = { segmentMs: 2_000, segmentBytes: 250_000, fileBytes: 4_000_000 };
const viewersEach = 8;
/** A megabyte each four seconds: 2 Mb/s. */
const stepMs = 4_000;
const startMs = 30_000;
const readyTimeoutMs = 180_000;

interface Watched {
  readonly urls: readonly string[];
  readonly pids: readonly number[];
  /** Undefined: nodes that know nothing of each other. */
  readonly cell: ProcessCell | undefined;
  stop(): Promise<void>;
}

/** What the origin of a cell gives for each byte that somebody in the cell asks for. */
export const amplification: Scenario = {
  id: 'amplification',
  title: 'The cell: origin bytes for each byte asked for',
  programs: () => ['nginx'],
  run: async (bench) => {
    const sizes = bench.options.nodes ?? (bench.options.quick ? [3, 5] : [3, 5, 10, 20]);
    const failures: string[] = [];
    const findings: Finding[] = [];
    for (const size of sizes)
      for (const kind of ['Eddy', 'nginx'] as const) {
        findings.push(await measure(bench, { size, kind, failures }));
        bench.show(`${viewersEach} + ${viewersEach} viewers a node`, findings);
      }
    const of = (kind: string) => sizes.map((nodes) => amplificationIn(findings, { kind, nodes }));
    const chart = {
      kind: 'bars',
      title: 'Origin bytes for each byte asked for, cold start',
      unit: 'times',
      groups: sizes.map((nodes) => `${nodes} nodes`),
      series: [
        { name: 'Eddy, one cell', values: of('Eddy') },
        { name: 'nginx on each node', values: of('nginx') },
      ],
      mark: 1.05,
    } as const;
    const notes = [
      `On each node ${viewersEach} viewers of a live channel (1 Mb/s, ${media.segmentMs / 1000} s segments) and ${viewersEach} of a file of ${media.fileBytes / 1e6} MB (ranges of 1 MB, 2 Mb/s); all start at once with nothing stored. Every byte is checked.`,
      'Nodes, origin and viewers share the machine and are not pinned: 20 nodes do not fit one core. Read times accordingly.',
    ];
    return { findings, notes, charts: [chart], failures };
  },
};

async function measure(
  bench: Bench,
  { size, kind, failures }: { size: number; kind: 'Eddy' | 'nginx'; failures: string[] },
): Promise<Finding> {
  const { rig, options } = bench;
  const seconds = Math.max(18, options.seconds * 4);
  const origin = await CellOrigin.start({ media });
  const watched = kind === 'Eddy' ? await eddyCell(origin, size) : await nginxEach(bench, { origin, size });
  try {
    const about = { media, viewersEach, stepMs, seconds, file: `film-${size}` };
    const client: AudienceClientOptions = { urls: watched.urls, ...about };
    const before = usageOf(watched.pids).cpuSeconds;
    const timeoutMs = seconds * 1000 + startMs;
    const result = await runClient<AudienceClientOptions, AudienceClientResult>(rig, 'audience', {
      options: client,
      timeoutMs,
    });
    const used = usageOf(watched.pids);
    const name = `${kind}, ${size} nodes`;
    if (result.faults.length > 0) failures.push(`${name}: ${result.faults.join('; ')}`);
    const counts = await Promise.all(['/live/seg-', '/vod/', '/live/index', '/'].map((each) => origin.count(each)));
    const [live = 0, file = 0, playlist = 0, all = 0] = counts.map(({ bodyBytes }) => bodyBytes);
    const { liveUnique, fileUnique, playlistUnique } = result;
    const unique = liveUnique + fileUnique + playlistUnique;
    if (kind === 'Eddy' && all / unique > 1.05)
      failures.push(`${name}: ${rounded(all / unique, 4)} times, at most 1.05`);
    if (watched.cell !== undefined)
      await showSentAgain(bench, { origin, cell: watched.cell, asked: new Map(result.asked) });
    return {
      ...{ kind, nodes: size, amplification: rounded(all / unique, 4), live: rounded(live / liveUnique, 4) },
      ...{ file: rounded(file / fileUnique, 4), playlist: rounded(playlist / playlistUnique, 3) },
      ...{ originMb: rounded(all / 1e6), viewersMb: rounded(result.bytes / 1e6), late: result.late },
      ...{ firstByteP50Ms: round(result.firstByteP50Ms), firstByteP99Ms: round(result.firstByteP99Ms) },
      ...{ wholeP50Ms: round(result.wholeP50Ms), wholeP99Ms: round(result.wholeP99Ms) },
      ...{ cpuSeconds: rounded(used.cpuSeconds - before, 3), rssMb: rounded(used.rssBytes / 1e6 / size, 3) },
    };
  } finally {
    await watched.stop();
    origin.close();
  }
}

async function eddyCell(origin: CellOrigin, size: number): Promise<Watched> {
  const args = ['--origin', origin.urlFor(), '--log-level', 'warn'];
  const cell = await ProcessCell.start(size, args, { readyTimeoutMs });
  const urls = cell.nodes.map(({ http }) => http.replace(/\/$/, ''));
  return { urls, pids: cell.nodes.map(({ process }) => process.pid ?? 0), cell, stop: () => cell.close() };
}

async function nginxEach(bench: Bench, { origin, size }: { origin: CellOrigin; size: number }): Promise<Watched> {
  const [variant] = nginxVariants;
  if (variant === undefined) throw new Error('no way to set up nginx');
  const servers: Server[] = [];
  for (let i = 0; i < size; i++)
    servers.push(await startNginx({ ...bench.server, origin: origin.url, variant, version: '' }));
  return {
    urls: servers.map(({ http }) => http),
    pids: servers.flatMap(({ pids }) => pids),
    cell: undefined,
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

function amplificationIn(findings: readonly Finding[], about: { kind: string; nodes: number }): number | undefined {
  const found = findings.find(({ kind, nodes }) => kind === about.kind && nodes === about.nodes)?.['amplification'];
  return typeof found === 'number' ? found : undefined;
}

function round(value: number | undefined): number | undefined {
  return value === undefined ? undefined : rounded(value, 3);
}
