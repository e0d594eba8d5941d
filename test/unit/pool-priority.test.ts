import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

const program = new URL('../../src/node/process/pool-priority.ts', import.meta.url).href;

/** A process that uses the pool, then lowers its priority, and tells the name and the nice value of each of its threads. */
const script = `
  import { readdirSync, readFileSync } from 'node:fs';
  import { readFile } from 'node:fs/promises';
  import { lowerPoolPriority } from '${program}';
  await readFile('/proc/self/stat');
  lowerPoolPriority();
  const threads = readdirSync('/proc/self/task').map((id) => {
    const [, name, rest] = /\\((.*)\\) (.*)/.exec(readFileSync('/proc/self/task/' + id + '/stat', 'latin1'));
    return { name, nice: Number(rest.split(' ')[16]) };
  });
  console.log(JSON.stringify(threads));
`;

it.runIf(process.platform === 'linux')('lets the threads of the pool stand back, and no others', () => {
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
  const threads = JSON.parse(output) as { name: string; nice: number }[];
  const pool = threads.filter(({ name }) => name === 'libuv-worker');
  const own = threads.filter(({ name }) => name !== 'libuv-worker').map(({ nice }) => nice);
  expect(pool.length).toBeGreaterThan(0);
  const usual = own[0] ?? 0;
  expect(new Set(own)).toEqual(new Set([usual]));
  for (const { nice } of pool) expect(nice).toBe(5);
});
