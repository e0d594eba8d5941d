import { readFileSync } from 'node:fs';
import { runClient } from '../clients/client.ts';
import type { PacedOptions, PacedResult } from '../clients/paced.ts';
import { getWhole } from '../get.ts';
import { objectTarget } from '../objects.ts';
import { openFilesMax, type Usage, usageOf } from '../proc.ts';
import { emptyLogs } from '../rig.ts';
import { sendMemory } from '../socket-memory.ts';
import type { Server } from '../servers/server.ts';
import { startAll } from '../fleet.ts';
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
    for (const server of await startAll(chosenContenders(bench.options, compared), bench.server)) {
      findings.push(await measure(bench, { server, failures }));
    }
    bench.show(`${viewers} viewers at ${megabits} Mb/s`, findings);
    const notes = [
      `Segments of ${segmentSeconds} s at ${megabits} Mb/s, one after the other; pacing allows each ${segmentSeconds * 1000} ms.`,
      'A stall is a viewer that fell a whole segment behind, or lost its connection.',
      'Memory per connection is the growth of the server’s RSS over the number of viewers; beside it what the kernel holds to send for each of its sockets, and for all sockets of this machine at most.',
      `A viewer’s own receive buffer is bounded (${receiveBytes / 1024} KiB): on this machine it is the same kernel’s.`,
      'clientBusy is the share of its core that the client program used: near 1 it measures itself, and fewer viewers tell more.',
    ];
    return { findings, notes, charts: [], failures };
  },
};

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
  const pace = { segmentBytes, viewers, bitsPerSecond, seconds, receiveBytes };
  const watching: PacedOptions = { url: server.http, targets, ...pace };
  const watch = new Watch(server);
  const result = await runClient<PacedOptions, PacedResult>(rig, 'paced', {
    options: watching,
    timeoutMs: seconds * 1000 + graceMs,
  }).finally(() => watch.stop());
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
    serverCpuSeconds: rounded(last.cpuSeconds - before.cpuSeconds, 3),
    clientBusy: rounded(result.busy, 2),
    limit: result.busy > clientBusyMax ? 'client' : '',
  };
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
