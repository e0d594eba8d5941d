import { type Contender, startAll } from '../fleet.ts';
import { figuresOf, type Sample, sample, type Tool } from '../measure.ts';
import { objectTarget, type Workload, workloadOf } from '../objects.ts';
import type { BenchOptions, Protocol } from '../options.ts';
import type { Server } from '../servers/server.ts';
import { verifyHits } from '../verify.ts';
import { chosenContenders } from './chosen.ts';
import { chartsOf, type Row, ratiosOf } from './compare-ratios.ts';
import type { Bench, Finding, Scenario } from './scenario.ts';

/** What is held constant while servers take turns. */
interface Cell {
  readonly tool: Tool;
  readonly protocol: Protocol;
  readonly workload: Workload;
  readonly connections: number;
}

/** A compiler at work is not what is measured: V8's has its work in the first three seconds of a kind of request. */
const warmUpSeconds = 4;
const quickWarmUpSeconds = 1;
/** Starting and ending a load generator. */
const overheadSeconds = 0.5;
/** autocannon parses responses in JavaScript: one number of connections shows what it can show. */
const autocannonConnections = 64;

/** Hits of one object in each server's memory, servers in turns within each cell. */
export const compare: Scenario = {
  id: 'compare',
  title: 'Hits, side by side',
  programs: (options) => [...chosenFrom(options).flatMap(({ programs }) => programs), 'wrk'],
  run: async (bench) => {
    const servers = await startAll(chosenFrom(bench.options), bench.server);
    const rows: Row[] = [];
    const failures: string[] = [];
    const cells = cellsOf(bench.options);
    bench.say(`${cells.length} cells, about ${minutesOf(bench.options, { cells, servers })} minutes`);
    for (const cell of cells) {
      const measured = await measureCell(bench, { cell, servers, failures });
      rows.push(...measured);
      bench.show(titleOf(cell), measured.map(lineOf));
      await bench.keep(resultOf(rows, failures));
    }
    const result = resultOf(rows, failures);
    if (result.ratios.length > 0) bench.show('Eddy against the best peer (over 1: Eddy is ahead)', result.ratios);
    return result;
  },
};

const notes = [
  'Requests per CPU second count the CPU time of the server with its children and, where there is one, its log writer.',
  'Bytes are what the load generator read, header sections included.',
  'RSS leaves the page cache out, where nginx and Traffic Server keep what they serve from files.',
  'Varnish has no TLS of its own. Its row without a log writer is not among the peers that ratios are taken to.',
];

function resultOf(rows: readonly Row[], failures: readonly string[]) {
  return { findings: rows.map(findingOf), ratios: ratiosOf(rows), notes, charts: chartsOf(rows), failures };
}

function minutesOf(
  options: BenchOptions,
  { cells, servers }: { cells: readonly Cell[]; servers: readonly Server[] },
): number {
  const { rounds, seconds } = options;
  const runs = cells.flatMap((cell) => servers.filter((server) => urlOf(server, cell) !== undefined)).length;
  return Math.ceil((runs * (warmUpOf(options) + rounds * (seconds + overheadSeconds))) / 60);
}

function warmUpOf({ quick }: BenchOptions): number {
  return quick ? quickWarmUpSeconds : warmUpSeconds;
}

function chosenFrom(options: BenchOptions): readonly Contender[] {
  const chosen = chosenContenders(options);
  const trimmed = options.quick && options.servers === undefined;
  return trimmed ? chosen.filter(({ id }) => !quickOmits.includes(id)) : chosen;
}

const quickOmits: readonly string[] = ['nginx-sendfile', 'nginx-slice-sendfile', 'nginx-slice-copy', 'varnish-no-log'];

function cellsOf({ tools, protocols, sizes, connections }: BenchOptions): readonly Cell[] {
  return tools.flatMap((tool) =>
    protocols.flatMap((protocol) =>
      sizes.map(workloadOf).flatMap((workload) => {
        const counts = tool === 'wrk' ? connections : [autocannonConnections];
        return counts.map((each): Cell => ({ tool, protocol, workload, connections: each }));
      }),
    ),
  );
}

/** A server that hits in this cell. */
interface Ready {
  readonly url: string;
  readonly cipher: string | undefined;
  readonly samples: Sample[];
}

async function measureCell(
  bench: Bench,
  about: { readonly cell: Cell; readonly servers: readonly Server[]; readonly failures: string[] },
): Promise<readonly Row[]> {
  const { cell, servers, failures } = about;
  const ready = new Map<Server, Ready>();
  const seconds = warmUpOf(bench.options);
  for (const server of servers) {
    const url = urlOf(server, cell);
    if (url === undefined) continue;
    await attempt(bench, { cell, failures }, async () => {
      const cipher = await verifyHits(server, { origin: bench.origin, url, workload: cell.workload });
      await sample(bench.rig, { server, tool: cell.tool, load: loadOf(cell, { url, seconds }) });
      ready.set(server, { url, cipher, samples: [] });
    });
  }
  for (let round = 0; round < bench.options.rounds; round++) {
    for (const [server, { url, samples }] of ready) {
      const taken = await attempt(bench, { cell, failures }, () => measureOnce(bench, { cell, server, url, failures }));
      if (taken !== undefined) samples.push(taken);
    }
  }
  const measured = [...ready].filter(([, { samples }]) => samples.length > 0);
  return measured.map(([server, { cipher, samples }]) => rowOf(cell, { server, cipher, samples }));
}

/** One server that fails in one cell leaves the rest to be measured. */
async function attempt<T>(
  { rig, say }: Bench,
  { cell, failures }: { cell: Cell; failures: string[] },
  step: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    rig.signal.throwIfAborted();
    failures.push(`${titleOf(cell)}: ${String(error)}`);
    say(`  ${String(error)}`);
    return undefined;
  }
}

async function measureOnce(
  { rig, origin, options }: Bench,
  { cell, server, url, failures }: { cell: Cell; server: Server; url: string; failures: string[] },
): Promise<Sample> {
  const before = await origin.count();
  const result = await sample(rig, { server, tool: cell.tool, load: loadOf(cell, { url, seconds: options.seconds }) });
  const asked = (await origin.count()).requests - before.requests;
  const what = `${titleOf(cell)}: ${server.name}`;
  if (result.errors > 0) failures.push(`${what} had ${result.errors} errors in ${result.requests} requests`);
  if (asked > 0) failures.push(`${what} asked the origin ${asked} times while it should have hit`);
  return result;
}

function urlOf(server: Server, { protocol, workload }: Cell): string | undefined {
  const base = protocol === 'http' ? server.http : server.https;
  return base === undefined ? undefined : base + objectTarget(workload.objectBytes, 'hit');
}

function loadOf({ connections, workload }: Cell, { url, seconds }: { url: string; seconds: number }) {
  return { url, connections, seconds, range: workload.range };
}

function rowOf(cell: Cell, { server, cipher, samples }: Omit<Ready, 'url'> & { server: Server }): Row {
  const { tool, protocol, workload, connections } = cell;
  const { product, name, version, reference } = server;
  const about = { product, server: name, version, reference, cipher };
  return { tool, protocol, size: workload.id, connections, ...about, figures: figuresOf(samples) };
}

function findingOf({ figures, reference: _reference, ...about }: Row): Finding {
  return { ...about, ...figures };
}

/** Without what the title of a cell's table says. */
function lineOf({ server, figures }: Row): Finding {
  return { server, ...figures };
}

function titleOf({ tool, protocol, workload, connections }: Cell): string {
  return `${workload.label}, ${connections} connections, ${protocol.toUpperCase()}, ${tool}`;
}
