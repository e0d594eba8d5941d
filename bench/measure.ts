import { runAutocannon } from './load/autocannon.ts';
import type { Load, LoadOptions } from './load/load.ts';
import { type Names, runWrk } from './load/wrk.ts';
import { usageOf } from './proc.ts';
import type { Rig } from './rig.ts';
import { emptyLogs } from './rig.ts';
import type { Server } from './servers/server.ts';
import { median, quotient, rounded, sum } from './statistics.ts';

export type Tool = 'wrk' | 'autocannon';

/** One run of a load generator, and what the server used for it. */
export interface Sample extends Load {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** Samples of one server under one load, taken together. */
export interface Figures {
  readonly requestsPerSecond: number;
  /** 10^6 bytes. */
  readonly megabytesPerSecond: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly requestsPerCpuSecond: number | undefined;
  /** 10^9 bytes. */
  readonly cpuSecondsPerGb: number | undefined;
  readonly cpuSecondsPerThousand: number | undefined;
  /** Share of its core that the server was busy; well under 1 means that the load generator was the limit. */
  readonly busy: number;
  readonly rssMb: number;
  /** Requests/s of the fastest run over those of the slowest, less 1: the noise. */
  readonly spread: number;
}

export async function sample(
  rig: Rig,
  about: { readonly server: Server; readonly tool: Tool; readonly load: LoadOptions & { names?: Names } },
): Promise<Sample> {
  const { server, tool, load } = about;
  const before = usageOf(server.pids);
  const seen = await (tool === 'wrk' ? runWrk(rig, load) : runAutocannon(rig, load));
  const after = usageOf(server.pids);
  emptyLogs(server.logs);
  return { ...seen, cpuSeconds: after.cpuSeconds - before.cpuSeconds, rssBytes: after.rssBytes };
}

export function figuresOf(samples: readonly Sample[]): Figures {
  const requests = sum(samples.map((each) => each.requests));
  const seconds = sum(samples.map((each) => each.seconds));
  const cpuSeconds = sum(samples.map((each) => each.cpuSeconds));
  const bytes = sum(samples.map((each) => each.bytes));
  const rates = samples.map((each) => each.requests / each.seconds);
  return {
    requestsPerSecond: rounded(requests / seconds),
    megabytesPerSecond: rounded(bytes / seconds / 1e6),
    p50Ms: median(samples.map((each) => each.p50Ms)),
    p99Ms: median(samples.map((each) => each.p99Ms)),
    requestsPerCpuSecond: roundedIfAny(quotient(requests, cpuSeconds)),
    cpuSecondsPerGb: roundedIfAny(quotient(cpuSeconds * 1e9, bytes)),
    cpuSecondsPerThousand: roundedIfAny(quotient(cpuSeconds * 1000, requests)),
    busy: rounded(cpuSeconds / seconds, 3),
    rssMb: rounded(Math.max(...samples.map((each) => each.rssBytes)) / 1e6),
    spread: rounded(Math.max(...rates) / Math.min(...rates) - 1, 2),
  };
}

function roundedIfAny(value: number | undefined): number | undefined {
  return value === undefined ? undefined : rounded(value);
}
