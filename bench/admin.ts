import { setTimeout as delay } from 'node:timers/promises';
import { get } from './get.ts';
import type { EddyServer } from './servers/eddy.ts';

/** Samples of Prometheus' text format by name and labels as they are written: `name{label="value"}`. */
export type Metrics = ReadonlyMap<string, number>;

export async function metricsOf({ admin }: EddyServer): Promise<Metrics> {
  return parseMetrics((await get(`${admin}/metrics`)).body.toString());
}

export function parseMetrics(text: string): Metrics {
  const samples = text
    .split('\n')
    .map((line) => /^([a-zA-Z_:][\w:]*(?:\{[^}]*\})?) (\S+)$/.exec(line))
    .filter((match) => match !== null);
  return new Map(samples.map(([, name = '', value]) => [name, Number(value)]));
}

/** Bytes of pieces that the disk tier has taken so far, whether or not they were evicted since. */
export function diskStoredBytes(metrics: Metrics): number {
  return tierBytes(metrics, 'eddy_store_bytes') + tierBytes(metrics, 'eddy_evicted_bytes_total');
}

/** Resolves once `reading` has not changed for a while; to what it was then. */
export async function settled(reading: () => Promise<number>, timeoutMs: number): Promise<number> {
  const deadline = performance.now() + timeoutMs;
  let [last, sinceMs] = [await reading(), performance.now()];
  while (performance.now() < deadline && performance.now() - sinceMs < quietMs) {
    await delay(250);
    const now = await reading();
    if (now !== last) [last, sinceMs] = [now, performance.now()];
  }
  return last;
}

const quietMs = 3_000;

function tierBytes(metrics: Metrics, name: string): number {
  const value = metrics.get(`${name}{tier="disk"}`);
  if (value === undefined) throw new Error(`no sample of ${name} for the disk tier`);
  return value;
}
