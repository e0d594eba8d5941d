import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runClient } from '../clients/client.ts';
import type { PacedOptions, PacedResult } from '../clients/paced.ts';
import { getWhole } from '../get.ts';
import { objectTarget } from '../objects.ts';
import type { Cores } from '../options.ts';
import { coreSeconds, openFilesMax, type Usage, usageOf } from '../proc.ts';
import { emptyLogs } from '../rig.ts';
import type { Server, ServerOptions } from '../servers/server.ts';
import { sendMemory } from '../socket-memory.ts';
import { quotient, rounded } from '../statistics.ts';
import { chosenContenders } from './chosen.ts';
import type { Bench, Finding, Scenario } from './scenario.ts';

const segmentSeconds = 4;
const segments = 32;
const watchSeconds = 20;
const quickSeconds = 8;
/** Files of a process that are not connections of viewers. */
const otherFiles = 200;
const samplingMs = 500;
/** More than a viewer plays between two looks. Without a bound those who watch would hold most of what the kernel has. */
const receiveBytes = 64 * 1024;
const compared = ['eddy', 'eddy-baseline', 'nginx-sendfile'];
/** The kernel is asked about each socket once in so many samples. */
const sendLooks = 16;
const graceMs = 120_000;
/** Above it the clients are what is measured. */
const clientBusyMax = 0.9;

/** Many viewers that read no faster than they play, on one node. */
export const paced: Scenario = {
  id: 'paced',
  title: 'Paced viewers on one node',
  programs: (options) => ['ss', ...chosenContenders(options, compared).flatMap(({ programs }) => programs)],
  run: async (bench) => {
    const { viewers, megabits } = bench.options;
    const files = openFilesMax();
    if (viewers + otherFiles > files) {
      throw new Error(
        `--viewers ${viewers} needs ${viewers + otherFiles} open files: the limit (ulimit -Hn) is ${files}`,
      );
    }
    const failures: string[] = [];
    const findings: Finding[] = [];
    for (const cores of bench.options.cores) {
      for (const contender of chosenContenders(bench.options, compared)) {
        const server = await contender.start({ ...bench.server, ...placeOf(bench, cores) });
        findings.push({ cores, ...(await measure(bench, { server, failures })) });
        await server.stop();
      }
    }
    bench.show(`${viewers} viewers at ${megabits} Mb/s`, findings);
    const notes = [
      `Segments of ${segmentSeconds} s at ${megabits} Mb/s, one after the other; pacing allows each ${segmentSeconds * 1000} ms.`,
      'A stall is a viewer that fell a whole segment behind, or lost its connection.',
      'Memory per connection is the growth of the server’s RSS over the number of viewers; beside it what the kernel holds to send for each of its sockets, and for all sockets of this machine at most.',
      `A viewer’s own receive buffer is bounded (${receiveBytes / 1024} KiB): on this machine it is the same kernel’s.`,
      'One viewer of a hundred reads what it is sent and compares it with the origin’s bytes; the others have the kernel discard it (MSG_TRUNC), as it would be on another machine.',
      '“both” cores: two workers on both, of which the clients need one. coresBusy: of each core, by anybody.',
      `Set on this machine: ${kernelSettings()}.`,
      'clientBusy is the share of its core that the client program used: near 1 it measures itself, and fewer viewers tell more.',
    ];
    return { findings, notes, charts: [], failures };
  },
};

function placeOf({ rig }: Bench, cores: Cores): Pick<ServerOptions, 'workers' | 'cores'> {
  return cores === 'one' ? {} : { workers: 2, cores: [rig.serverCore, rig.loadCore] };
}

/** What the figures depend on and is not the same everywhere. */
function kernelSettings(): string {
  const folder = '/proc/sys/net/ipv4';
  // Not all of them can be read in a container.
  const names = ['tcp_congestion_control', 'tcp_early_retrans', 'tcp_mem'].filter((name) =>
    existsSync(join(folder, name)),
  );
  return names.map((name) => `${name} ${readFileSync(join(folder, name), 'utf8').trim()}`).join(', ');
}

async function measure(
  { rig, options }: Bench,
  { server, failures }: { server: Server; failures: string[] },
): Promise<Finding> {
  const { viewers, megabits } = options;
  const bitsPerSecond = megabits * 1e6;
  const segmentBytes = (bitsPerSecond / 8) * segmentSeconds;
  const targets = Array.from({ length: segments }, (_none, i) => objectTarget(segmentBytes, `paced-${i}`));
  for (let pass = 0; pass < 2; pass++) for (const target of targets) await getWhole(server.http + target);
  const seconds = options.quick ? quickSeconds : watchSeconds;
  const before = usageOf(server.pids);
  const coresBefore = coreSeconds();
  const pace = { segmentBytes, viewers, bitsPerSecond, seconds, receiveBytes };
  const watching: PacedOptions = { url: server.http, targets, ...pace };
  const watch = new Watch(server);
  const result = await runClient<PacedOptions, PacedResult>(rig, 'paced', {
    options: watching,
    timeoutMs: seconds * 1000 + graceMs,
  }).finally(() => watch.stop());
  if (result.comparedBytes === 0) failures.push(`${server.name}: no bytes were compared`);
  if (result.errors.length > 0) failures.push(`${server.name}: ${result.errors.join('; ')}`);
  const { peak, last } = watch;
  const overPacing = quotient(result.p99Ms, segmentSeconds * 1000);
  return {
    server: server.name,
    viewers,
    segments: result.segments,
    megabitsPerSecond: rounded((result.bodyBytes * 8) / result.seconds / 1e6),
    segmentP50Ms: rounded(result.p50Ms ?? 0),
    segmentP99Ms: rounded(result.p99Ms ?? 0),
    p99OverPacing: rounded(overPacing ?? 0, 3),
    stalls: result.stalls,
    kilobytesPerConnection: rounded((peak.rssBytes - before.rssBytes) / viewers / 1000, 3),
    kernelKilobytesPerConnection: rounded(watch.sendBytes / viewers / 1000, 3),
    rssMb: rounded(peak.rssBytes / 1e6),
    kernelMb: rounded(watch.kernelBytes / 1e6),
    coresBusy: coresBusy(coresBefore, result.seconds),
    serverCpuSeconds: rounded(last.cpuSeconds - before.cpuSeconds, 3),
    clientBusy: rounded(result.busy, 2),
    limit: result.busy > clientBusyMax ? 'client' : '',
  };
}

/** Of each core the share that was used since, by anybody. */
function coresBusy(before: readonly number[], seconds: number): string {
  return coreSeconds()
    .map((now, core) => rounded((now - (before[core] ?? 0)) / seconds, 2))
    .join(' ');
}

/** What the server uses while it is watched. */
class Watch {
  readonly #server: Server;
  readonly #timer: NodeJS.Timeout;
  #looks = 0;
  peak: Usage = { cpuSeconds: 0, rssBytes: 0 };
  last: Usage = { cpuSeconds: 0, rssBytes: 0 };
  /** Buffers of all TCP sockets of this machine, at most. */
  kernelBytes = 0;
  /** Of these what waits to be sent by the server, or to be acknowledged. */
  sendBytes = 0;

  constructor(server: Server) {
    this.#server = server;
    this.#timer = setInterval(() => this.#look(), samplingMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    emptyLogs(this.#server.logs);
  }

  #look(): void {
    this.last = usageOf(this.#server.pids);
    if (this.last.rssBytes > this.peak.rssBytes) this.peak = this.last;
    const pages = /^TCP:.* mem (\d+)$/m.exec(readFileSync('/proc/net/sockstat', 'utf8'))?.[1] ?? '0';
    this.kernelBytes = Math.max(this.kernelBytes, Number(pages) * 4096);
    emptyLogs(this.#server.logs);
    if (this.#looks++ % sendLooks === 0) void this.#lookAtSockets();
  }

  async #lookAtSockets(): Promise<void> {
    const port = Number(new URL(this.#server.http).port);
    this.sendBytes = Math.max(this.sendBytes, await sendMemory(port).catch(() => 0));
  }
}
