import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ProcessCell } from '../../test/support/cell.ts';
import { runClient } from '../clients/client.ts';
import type { LiveClientOptions, LiveClientResult } from '../clients/live.ts';
import type { LiveCount } from '../live-origin.ts';
import type { LiveForm } from '../options.ts';
import { usageOf } from '../proc.ts';
import type { Rig } from '../rig.ts';
import { rounded } from '../statistics.ts';
import { countsOf, memberOf, type NodeTimes, timesBetween } from './live-nodes.ts';
import type { Bench, Finding, Scenario } from './scenario.ts';

const program = fileURLToPath(new URL('../live-origin.ts', import.meta.url));
const answerTimeoutMs = 10_000;
/** Targets that each viewer follows. */
const forms = {
  'LL-HLS': ['/ll/video/live.m3u8', '/ll/audio/live.m3u8'],
  HLS: ['/hls/video/live.m3u8', '/hls/audio/live.m3u8'],
  'DASH-number': ['/dash/number.mpd'],
  'DASH-timeline': ['/dash/timeline.mpd'],
} as const satisfies Record<LiveForm, readonly string[]>;

/** Playlist requests for each version, and media bytes for each unique one, that an origin may be asked for. */
const requestsMax = 1.1;
const bytesMax = 1.05;

/** What start-up costs is not what a running channel costs: five nodes on two cores compile their code for half a minute. */
const warmMsLong = 30_000;

/** Viewers of one live channel at the origin itself, at one node and at a cell. */
export const live: Scenario = {
  id: 'live',
  title: 'The live channel: many viewers, one origin',
  programs: () => [],
  run: async (bench) => {
    const { options } = bench;
    const viewers = options.quick ? 100 : 500;
    const failures: string[] = [];
    const findings: Finding[] = [];
    for (const form of options.forms)
      for (const about of placesOf(form, viewers, options.nodes)) {
        findings.push(await measure(bench, { ...about, failures }));
        bench.show('One channel, video and audio', findings);
      }
    const notes = [
      'Every viewer follows two renditions: LL-HLS by blocking reload, with the parts as they come; HLS at the rhythm of the standard; DASH asks for the MPD once in its update period, and for segments when its clock says that they are there.',
      'Release: from the end of a part, by its date, to the first byte of the playlist that a blocked reload waited for. Delivery: to the last byte of the part or segment. Origin, nodes and viewers share the machine and its clock.',
      'Spread: from the first viewer of all nodes who got a version to each of the others, as the load generator sees them. Node: from when the owner of a playlist learnt of a version to the last byte given to the kernel; told: to when the others learnt of it, both measured in the nodes.',
      'The viewers run with SCHED_IDLE: they have machines of their own, and take as little as can be from the nodes that are measured; what they see themselves is later for it. Times are noted after half a minute, when code is compiled.',
      'At one: the viewers of one node of the cell that does not own the playlists, who have the machine for themselves as they would if each node had its own. Where all five have viewers, the nodes wait for one another.',
      'Zero nodes: at the origin itself, with 100 viewers at most.',
    ];
    return { findings, notes, charts: [], failures };
  },
};

/** Beside the origin alone, which answers each of them itself; or cells of these sizes only. */
function placesOf(form: LiveForm, viewers: number, sizes: readonly number[] | undefined): readonly About[] {
  const few = Math.min(viewers, 100);
  const origin = { nodes: 0, viewers: few };
  const places = sizes?.map((nodes) => ({ nodes, viewers })) ?? [origin, { nodes: 1, viewers }, { nodes: 5, viewers }];
  const { nodes = 0 } = places.at(-1) ?? origin;
  const one = form === 'LL-HLS' && nodes > 1 ? [{ nodes, viewers: few, atOne: true }] : [];
  return [...places, ...one].map((place) => ({ form, atOne: false, ...place }));
}

interface About {
  readonly form: LiveForm;
  readonly nodes: number;
  /** Whether all viewers are at one node. */
  readonly atOne: boolean;
  readonly viewers: number;
}

/** What origin, viewers and nodes counted. */
interface Counted {
  readonly asked: number;
  readonly amplification: number;
  readonly result: LiveClientResult;
  readonly times: NodeTimes;
  readonly cpuSeconds: number;
  readonly refusals: readonly string[];
}

async function measure(bench: Bench, about: About & { failures: string[] }): Promise<Finding> {
  const { nodes, failures } = about;
  const origin = await startOrigin(bench.rig);
  const first = await origin.count();
  const arguments_ = ['--origin', first.url, '--log-level', 'warn', '--workers', '1'];
  const cell = nodes === 0 ? undefined : await ProcessCell.start(nodes, arguments_);
  try {
    const counted = await watch(bench, { ...about, origin, url: first.url, cell });
    if (nodes > 0) failures.push(...failuresOf(about, counted));
    return findingOf(about, counted);
  } finally {
    await cell?.close();
    await origin.stop();
  }
}

async function watch(
  { rig, options }: Bench,
  about: About & { origin: OriginProcess; url: string; cell: ProcessCell | undefined },
): Promise<Counted> {
  const { form, viewers, atOne, origin, url, cell } = about;
  const [rampMs, seconds] = [2_000, Math.max(10, options.seconds * 3)];
  const playlists = forms[form];
  const member = atOne && cell !== undefined ? await memberOf(cell.nodes, playlists) : undefined;
  const urls = (member === undefined ? cell?.nodes : [member])?.map(({ http }) => http.replace(/\/$/, '')) ?? [url];
  const warmMs = options.quick ? 2 * rampMs : warmMsLong;
  const client: LiveClientOptions = {
    ...{ viewers, rampMs, warmMs, seconds, hints: false, playlists, urls },
  };
  const pids = cell?.nodes.map(({ process }) => process.pid ?? 0) ?? [origin.pid];
  const cpuBefore = usageOf(pids).cpuSeconds;
  const running = runClient<LiveClientOptions, LiveClientResult>(rig, 'live', {
    options: client,
    timeoutMs: seconds * 1000 + warmMs + 30_000,
    // Viewers have machines of their own.
    yields: true,
  });
  await later(warmMs);
  const from = await origin.count();
  const countsFrom = await countsOf(cell?.nodes ?? []);
  const result = await running;
  const to = await origin.count();
  return {
    asked: requestsPerVersion(from, to),
    amplification: to.media.bytes / Math.max(1, to.media.uniqueBytes),
    result,
    times: timesBetween(countsFrom, await countsOf(cell?.nodes ?? [])),
    cpuSeconds: usageOf(pids).cpuSeconds - cpuBefore,
    refusals: to.refusals,
  };
}

function failuresOf({ form, nodes }: About, { asked, amplification, result, refusals }: Counted): string[] {
  const failures = Object.entries(result.errors).map(([error, times]) => `${times} times ${error}`);
  if (asked > requestsMax) failures.push(`${rounded(asked, 3)} playlist requests a version, at most ${requestsMax}`);
  if (amplification > bytesMax) failures.push(`media ${rounded(amplification, 3)} times, at most ${bytesMax}`);
  failures.push(...new Set(refusals));
  return failures.map((each) => `${form}, ${nodes} nodes: ${each}`);
}

function findingOf({ form, nodes, viewers, atOne }: About, counted: Counted): Finding {
  const { asked, amplification, result, times, cpuSeconds, refusals } = counted;
  const { started, stalls, released } = result;
  const [release50, release99, releaseMax] = result.releaseMs.map(round);
  const [, spread99] = result.spreadMs.map(round);
  const [delivery50, delivery99] = result.deliveryMs.map(round);
  return {
    ...{ form, nodes: atOne ? `${nodes}, at one` : nodes, viewers, started, stalls, released },
    ...{ perVersion: rounded(asked, 3), mediaTimes: rounded(amplification, 3) },
    ...{ releaseP50Ms: release50, releaseP99Ms: release99, releaseMaxMs: releaseMax, spreadP99Ms: spread99 },
    ...{ nodeP50Ms: round(times.releaseP50Ms), nodeP99Ms: round(times.releaseP99Ms) },
    toldP99Ms: round(times.toldP99Ms),
    ...{ deliveryP50Ms: delivery50, deliveryP99Ms: delivery99, latencyP50Ms: round(result.latencyMs[0]) },
    ...{ mb: rounded(result.bytes / 1e6), cpuSeconds: rounded(cpuSeconds, 3) },
    usEach: round((1e6 * cpuSeconds) / (result.playlists + result.pieces)),
    loadBusy: rounded(result.busy, 2),
    refusals: [...new Set(refusals)].join('; '),
  };
}

interface OriginProcess {
  readonly pid: number;
  count(): Promise<LiveCount>;
  stop(): Promise<void>;
}

async function startOrigin(rig: Rig): Promise<OriginProcess> {
  const { child, pid, stop } = rig.start([process.execPath, program], { core: rig.loadCore, ipc: true });
  const answer = async () =>
    (await once(child, 'message', { signal: AbortSignal.timeout(answerTimeoutMs) }))[0] as LiveCount;
  await answer();
  return {
    pid,
    stop,
    count: () => {
      const answered = answer();
      child.send('count');
      return answered;
    },
  };
}

/** Of all media playlists that were asked for in that time. */
function requestsPerVersion(from: LiveCount, to: LiveCount): number {
  let [requests, versions] = [0, 0];
  for (const [path, last] of Object.entries(to.playlists)) {
    const first = from.playlists[path];
    if (first === undefined) continue;
    requests += last.requests - first.requests;
    versions += last.versions - first.versions;
  }
  return requests / Math.max(1, versions);
}

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** JSON has null for what there was nothing of. */
function round(value: number | null | undefined): number | undefined {
  return value === undefined || value === null ? undefined : rounded(value, 3);
}
