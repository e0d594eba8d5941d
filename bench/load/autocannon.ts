import { fileURLToPath } from 'node:url';
import type { Rig } from '../rig.ts';
import { graceMs, type Load, type LoadOptions, rangeField } from './load.ts';

const program = fileURLToPath(new URL('../../node_modules/autocannon/autocannon.js', import.meta.url));

export async function runAutocannon(rig: Rig, options: LoadOptions): Promise<Load> {
  const { url, connections, seconds } = options;
  const command = [process.execPath, program, '-j', '-n', '-c', String(connections), '-d', String(seconds)];
  command.push(...rangeField(options), url);
  const output = await rig.run(command, { core: rig.loadCore, timeoutMs: seconds * 1000 + graceMs });
  return parseAutocannon(output);
}

/** What `autocannon --json` prints; its latencies are whole milliseconds. Throws when that is something else. */
export function parseAutocannon(output: string): Load {
  const line = output.split('\n').find((each) => each.startsWith('{'));
  if (line === undefined) throw new Error(`autocannon printed no JSON: ${JSON.stringify(output.slice(0, 500))}`);
  const result = JSON.parse(line) as AutocannonResult;
  return {
    requests: result['2xx'],
    bytes: result.throughput.total,
    seconds: result.duration,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    errors: result.errors + result.timeouts + result.non2xx,
  };
}

interface AutocannonResult {
  readonly '2xx': number;
  readonly non2xx: number;
  readonly errors: number;
  readonly timeouts: number;
  readonly duration: number;
  readonly latency: { readonly p50: number; readonly p99: number };
  readonly throughput: { readonly total: number };
}
