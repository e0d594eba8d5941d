import { parseArgs } from 'node:util';
import type { Tool } from './measure.ts';
import { workloads } from './objects.ts';

export type Protocol = 'http' | 'https';

/** The core for servers alone, or both with two workers, of which the clients need one. */
export type Cores = 'one' | 'both';

const liveForms = ['LL-HLS', 'HLS', 'DASH-number', 'DASH-timeline'] as const;

/** How viewers of the live scenario watch. */
export type LiveForm = (typeof liveForms)[number];

/** What one run of the bench does. */
export interface BenchOptions {
  readonly quick: boolean;
  readonly only: readonly string[];
  readonly seconds: number;
  readonly rounds: number;
  /** Path of the results without extension. */
  readonly out: string;
  /** Undefined: beside the results. */
  readonly svg: string | undefined;
  readonly sizes: readonly string[];
  readonly connections: readonly number[];
  readonly protocols: readonly Protocol[];
  readonly tools: readonly Tool[];
  /** Undefined: all that the scenario compares. */
  readonly servers: readonly string[] | undefined;
  readonly accessLog: boolean;
  /** Of the paced scenario: where servers run. */
  readonly cores: readonly Cores[];
  readonly viewers: number;
  /** What each of them plays, per second. */
  readonly megabits: number;
  /** Cells of `amplification` and `live`; the storm takes the last one. Undefined: as the scenario has it. */
  readonly nodes: readonly number[] | undefined;
  /** How long the storm lasts. */
  readonly minutes: number;
  /** Of the live scenario. */
  readonly forms: readonly LiveForm[];
  /** Another program than src/main.ts of this checkout, and one to hold it against. */
  readonly eddy: string | undefined;
  readonly baseline: string | undefined;
  readonly help: boolean;
}

export const usage = `npm run bench -- [options]
  --only SCENARIO       compare, workers, disk, cold, herd, paced, mixed, writes, memory, peers, live, amplification,
                        cold-segments, storm or wan; repeatable; default: all
  --quick               2 s a cell and few cells: whether all works, not how fast it is
  --duration SECONDS    of each run of a load generator; default 5
  --rounds N            times each server is measured in each cell, in turns; default 2
  --sizes LIST          of ${workloads.map(({ id }) => id).join(',')}
  --connections LIST    default 16,64,512
  --protocols LIST      http,https
  --tools LIST          wrk,autocannon
  --servers LIST        eddy,nginx-sendfile,nginx-sendfile-nopush,nginx-copy,nginx-slice-sendfile,nginx-slice-copy,
                        varnish,varnish-no-log,trafficserver
  --access-log on|off   for all servers; default on
  --viewers N           of the paced scenario; one of a hundred compares its bytes with the origin's, the others discard
                        them unread; default 10000
  --cores LIST          of the paced scenario; one, both (two workers, beside the clients); default one,both
  --megabits N          what each of them plays, per second; default 3
  --nodes LIST          sizes of cells; default 3,5,10,20, in the storm 10 (the last of the list), live 1,5
  --minutes N           of the storm; default 10
  --forms LIST          of the live scenario; of LL-HLS,HLS,DASH-number,DASH-timeline
  --eddy FILE           another src/main.ts; --baseline FILE: one more, measured beside it
  --out PATH            results are written to PATH.json and PATH.svg; default bench/results/latest
  --svg FILE            picture somewhere else`;

const flags = {
  quick: { type: 'boolean' },
  only: { type: 'string', multiple: true },
  duration: { type: 'string' },
  rounds: { type: 'string' },
  sizes: { type: 'string' },
  connections: { type: 'string' },
  protocols: { type: 'string' },
  tools: { type: 'string' },
  servers: { type: 'string' },
  'access-log': { type: 'string' },
  viewers: { type: 'string' },
  cores: { type: 'string' },
  megabits: { type: 'string' },
  nodes: { type: 'string' },
  minutes: { type: 'string' },
  forms: { type: 'string' },
  eddy: { type: 'string' },
  baseline: { type: 'string' },
  out: { type: 'string' },
  svg: { type: 'string' },
  help: { type: 'boolean' },
} as const;

/** Throws with a message for whoever typed it. */
export function readOptions(argv: readonly string[]): BenchOptions {
  const { values } = parseArgs({ args: [...argv], options: flags, strict: true, allowPositionals: false });
  const { quick = false } = values;
  const sizes = workloads.map(({ id }) => id);
  return {
    quick,
    only: values.only ?? [],
    seconds: number('duration', values.duration, { normally: quick ? 2 : 5, least: 1, most: 600 }),
    rounds: number('rounds', values.rounds, { normally: quick ? 1 : 2, least: 1, most: 20 }),
    out: values.out ?? 'bench/results/latest',
    svg: values.svg,
    sizes: among('sizes', values.sizes, { known: sizes, normally: quick ? ['1k', '64k-range', '1m'] : sizes }),
    connections: among('connections', values.connections, { normally: quick ? ['64'] : ['16', '64', '512'] }).map(
      (each) => number('connections', each, { normally: 64, least: 1, most: 10_000 }),
    ),
    protocols: among('protocols', values.protocols, { known: ['http', 'https'], normally: ['http', 'https'] }),
    tools: among('tools', values.tools, { known: ['wrk', 'autocannon'], normally: ['wrk', 'autocannon'] }),
    servers: values.servers?.split(','),
    accessLog: among('access-log', values['access-log'], { known: ['on', 'off'], normally: ['on'] })[0] === 'on',
    viewers: number('viewers', values.viewers, { normally: quick ? 500 : 10_000, least: 1, most: 25_000 }),
    megabits: number('megabits', values.megabits, { normally: 3, least: 1, most: 100 }),
    cores: among('cores', values.cores, { known: ['one', 'both'], normally: ['one', 'both'] }),
    forms: among('forms', values.forms, { known: liveForms, normally: liveForms }),
    eddy: values.eddy,
    baseline: values.baseline,
    nodes: values.nodes?.split(',').map((each) => number('nodes', each, { normally: 3, least: 1, most: 50 })),
    minutes: number('minutes', values.minutes, { normally: quick ? 1 : 10, least: 1, most: 60 }),
    help: values.help ?? false,
  };
}

function number(
  flag: string,
  text: string | undefined,
  { normally, least, most }: { normally: number; least: number; most: number },
): number {
  if (text === undefined) return normally;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new Error(`--${flag} ${text}: must be a whole number from ${least} to ${most}`);
}

function among<T extends string>(
  flag: string,
  text: string | undefined,
  { known, normally }: { known?: readonly T[]; normally: readonly T[] },
): readonly T[] {
  if (text === undefined) return normally;
  const chosen = text.split(',') as T[];
  const unknown = chosen.find((each) => known !== undefined && !known.includes(each));
  if (unknown === undefined) return chosen;
  throw new Error(`--${flag} ${unknown}: must be one of ${known?.join(', ')}`);
}
