import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ProcessCell } from '../../test/support/cell.ts';
import { runClient } from '../clients/client.ts';
import type { LiveClientOptions, LiveClientResult } from '../clients/live.ts';
import type { LiveCount } from '../live-origin.ts';
import { usageOf } from '../proc.ts';
import type { Rig } from '../rig.ts';
import { rounded } from '../statistics.ts';
import type { Bench, Finding, Scenario } from './scenario.ts';

const program = fileURLToPath(new URL('../live-origin.ts', import.meta.url));
const answerTimeoutMs = 10_000;
const forms = {
  'LL-HLS': ['/ll/video/live.m3u8', '/ll/audio/live.m3u8'],
  HLS: ['/hls/video/live.m3u8', '/hls/audio/live.m3u8'],
} as const;
type Form = keyof typeof forms;

/** Playlist requests for each version, and media bytes for each unique one, that an origin may be asked for. */
const requestsMax = 1.1;
const bytesMax = 1.05;

/** Viewers of one live channel at the origin itself, at one node and at a cell. */
export const live: Scenario = {
  id: 'live',
  title: 'The live channel: many viewers, one origin',
  programs: () => [],
  run: async (bench) => {
    const viewers = bench.options.quick ? 100 : 500;
    const failures: string[] = [];
    const findings: Finding[] = [];
    for (const form of ['LL-HLS', 'HLS'] as const)
      for (const nodes of [0, 1, 5]) {
        // Beside the origin alone, which answers each of them itself.
        const audience = nodes === 0 ? Math.min(viewers, 100) : viewers;
        findings.push(await measure(bench, { form, nodes, viewers: audience, failures }));
        bench.show('One channel, video and audio', findings);
      }
    const notes = [
      'Every viewer follows two renditions: LL-HLS by blocking reload, with the parts as they come; HLS at the rhythm of the standard.',
      'Release: from the end of a part, by its date, to the first byte of the playlist that a blocked reload waited for. Delivery: to the last byte of the part or segment. Origin, nodes and viewers share the machine and its clock.',
      'Zero nodes: at the origin itself, with 100 viewers at most.',
    ];
    return { findings, notes, charts: [], failures };
  },
};

async function measure(
  { rig, options }: Bench,
  about: { form: Form; nodes: number; viewers: number; failures: string[] },
): Promise<Finding> {
  const { form, nodes, viewers, failures } = about;
  const origin = await startOrigin(rig);
  const first = await origin.count();
  const arguments_ = ['--origin', first.url, '--log-level', 'warn', '--workers', '1'];
  const cell = nodes === 0 ? undefined : await ProcessCell.start(nodes, arguments_);
  const pids = cell?.nodes.map(({ process }) => process.pid ?? 0) ?? [origin.pid];
  try {
    const [rampMs, seconds] = [2_000, Math.max(10, options.seconds * 3)];
    const client: LiveClientOptions = {
      ...{ viewers, rampMs, seconds, hints: false, playlists: forms[form] },
      urls: cell?.nodes.map(({ http }) => http.replace(/\/$/, '')) ?? [first.url],
    };
    const cpuBefore = usageOf(pids).cpuSeconds;
    const running = runClient<LiveClientOptions, LiveClientResult>(rig, 'live', {
      options: client,
      timeoutMs: seconds * 1000 + 30_000,
    });
    // What start-up costs is not what a running channel costs.
    await later(2 * rampMs);
    const from = await origin.count();
    const result = await running;
    const to = await origin.count();
    const cpuSeconds = usageOf(pids).cpuSeconds - cpuBefore;
    const asked = requestsPerVersion(from, to);
    const amplification = to.media.bytes / Math.max(1, to.media.uniqueBytes);
    const name = `${form}, ${nodes} nodes`;
    if (nodes > 0 && asked > requestsMax)
      failures.push(`${name}: ${rounded(asked, 3)} playlist requests a version, at most ${requestsMax}`);
    if (nodes > 0 && amplification > bytesMax)
      failures.push(`${name}: media ${rounded(amplification, 3)} times, at most ${bytesMax}`);
    for (const [error, times] of Object.entries(result.errors)) failures.push(`${name}: ${times} times ${error}`);
    const [release50, release99, releaseMax] = result.releaseMs.map(round);
    const [delivery50, delivery99] = result.deliveryMs.map(round);
    return {
      ...{ form, nodes, viewers, started: result.started, stalls: result.stalls, released: result.released },
      ...{ perVersion: rounded(asked, 3), mediaTimes: rounded(amplification, 3) },
      ...{ releaseP50Ms: release50, releaseP99Ms: release99, releaseMaxMs: releaseMax },
      ...{ deliveryP50Ms: delivery50, deliveryP99Ms: delivery99, latencyP50Ms: round(result.latencyMs[0]) },
      ...{ mb: rounded(result.bytes / 1e6), cpuSeconds: rounded(cpuSeconds, 3), loadBusy: rounded(result.busy, 2) },
      refusals: [...new Set(to.refusals)].join('; '),
    };
  } finally {
    await cell?.close();
    await origin.stop();
  }
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
