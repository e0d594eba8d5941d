import { fileURLToPath } from 'node:url';
import type { Rig } from '../rig.ts';
import { graceMs, type Load, type LoadOptions, rangeField } from './load.ts';

const namesScript = fileURLToPath(new URL('./names.lua', import.meta.url));

/** Objects of one size whose names are counted up from `first`; after `count - 1` comes 0. */
export interface Names {
  readonly bytes: number;
  readonly prefix: string;
  readonly first: number;
  readonly count: number;
}

/** One thread, since it has one core. With `names`, the URL's path does not matter. */
export async function runWrk(rig: Rig, options: LoadOptions & { names?: Names }): Promise<Load> {
  const { url, connections, seconds, names } = options;
  const command = ['wrk', '--latency', '--timeout', '30s', '-t', '1', '-c', String(connections), '-d', `${seconds}s`];
  command.push(...rangeField(options));
  if (names !== undefined) command.push('-s', namesScript);
  command.push(url);
  if (names !== undefined) command.push('--', ...[names.bytes, names.prefix, names.first, names.count].map(String));
  const output = await rig.run(command, { core: rig.loadCore, timeoutMs: seconds * 1000 + graceMs });
  return parseWrk(output);
}

/** What `wrk --latency` prints; a space follows units of one letter. Throws when that is something else. */
export function parseWrk(output: string): Load {
  const total = /^\s*(\d+) requests in (\S+), (\S+) read$/m.exec(output);
  if (total === null) throw new Error(`wrk printed no totals: ${JSON.stringify(output.slice(0, 500))}`);
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output);
  const statusErrors = /Non-2xx or 3xx responses: (\d+)/.exec(output);
  const errors = [...(socketErrors?.slice(1) ?? []), statusErrors?.[1] ?? '0'].map(Number);
  return {
    requests: Number(total[1]),
    seconds: parseTime(total[2] ?? '') / 1000,
    bytes: parseBytes(total[3] ?? ''),
    p50Ms: parseTime(/^\s*50%\s+(\S+) *$/m.exec(output)?.[1] ?? ''),
    p99Ms: parseTime(/^\s*99%\s+(\S+) *$/m.exec(output)?.[1] ?? ''),
    errors: errors.reduce((all, each) => all + each, 0),
  };
}

const timeUnitsMs: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const byteUnits: Readonly<Record<string, number>> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 };

function parseTime(text: string): number {
  return parseUnit(text, timeUnitsMs);
}

function parseBytes(text: string): number {
  return parseUnit(text, byteUnits);
}

function parseUnit(text: string, units: Readonly<Record<string, number>>): number {
  const [, value, unit = ''] = /^([\d.]+)([A-Za-z]+)$/.exec(text) ?? [];
  const factor = units[unit];
  if (value === undefined || factor === undefined) throw new Error(`wrk printed ${JSON.stringify(text)}`);
  return Number(value) * factor;
}
