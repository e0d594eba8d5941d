import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';

const program = new URL('../../src/node/process/thread-priority.ts', import.meta.url).href;

/** A process that uses the pool, then lowers priorities, and tells the name and the nice value of each of its threads. */
const script = `
  import { readdirSync, readFileSync } from 'node:fs';
  import { readFile } from 'node:fs/promises';
  import { lowerCollectorPriority, lowerPoolPriority } from '${program}';
  await readFile('/proc/self/stat');
  lowerPoolPriority();
  lowerCollectorPriority(Number(process.env.RAM_BYTES));
  const threads = readdirSync('/proc/self/task').map((id) => {
    const [, name, rest] = /\\((.*)\\) (.*)/.exec(readFileSync('/proc/self/task/' + id + '/stat', 'latin1'));
    return { name, nice: Number(rest.split(' ')[16]) };
  });
  console.log(JSON.stringify(threads));
`;

const gibibyte = 1024 ** 3;

interface Thread {
  readonly name: string;
  readonly nice: number;
}

function threadsOn(cores: string, ramBytes = gibibyte): Thread[] {
  const command = ['-c', cores, process.execPath, '--input-type=module', '--eval', script];
  return JSON.parse(
    execFileSync('taskset', command, { encoding: 'utf8', env: { ...process.env, RAM_BYTES: String(ramBytes) } }),
  ) as Thread[];
}

/** The nice values of those with that name, each once. */
function nicesOf(threads: readonly Thread[], name: string): number[] {
  return [...new Set(threads.filter((thread) => thread.name === name).map(({ nice }) => nice))];
}

const cores = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
const oneCore = /^\d+/.exec(cores)?.[0] ?? '0';

it.runIf(process.platform === 'linux')(
  'on one core the threads of the pool and of V8 stand back, and no others',
  () => {
    const threads = threadsOn(oneCore);
    expect(nicesOf(threads, 'libuv-worker')).toEqual([5]);
    expect(nicesOf(threads, 'node-V8Worker')).toEqual([10]);
    const others = threads.filter(({ name }) => name !== 'libuv-worker' && name !== 'node-V8Worker');
    expect(new Set(others.map(({ nice }) => nice)).size).toBe(1);
  },
);

it.runIf(process.platform === 'linux')('with a small RAM tier those of V8 do not: they would free too late', () => {
  expectOnlyPool(threadsOn(oneCore, gibibyte / 2));
});

it.runIf(process.platform === 'linux' && availableParallelism() > 1)('on several cores those of V8 do not', () => {
  expectOnlyPool(threadsOn(cores));
});

function expectOnlyPool(threads: readonly Thread[]): void {
  expect(nicesOf(threads, 'libuv-worker')).toEqual([5]);
  expect(new Set(threads.filter(({ name }) => name !== 'libuv-worker').map(({ nice }) => nice)).size).toBe(1);
}
