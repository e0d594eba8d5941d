import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { spareShare } from '../../src/node/process/process-memory.ts';

const program = new URL('../../src/node/process/process-memory.ts', import.meta.url).href;
const timeoutMs = 30_000;

/** The number that a process prints which runs these lines. */
function run(lines: string): number {
  const script = `import * as memory from '${program}';\n${lines}`;
  const args = ['--input-type=module', '--eval', script];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8', timeout: timeoutMs }));
}

it('lets the young generation grow at once though nothing in it survives, and no further', () => {
  const bytes = run(`
    import { getHeapSpaceStatistics } from 'node:v8';
    memory.boundYoungGeneration();
    let ticks = 0;
    let garbage = [];
    const work = () => {
      for (let i = 0; i < 20000; i++) garbage = [i, garbage.length];
      if (ticks < 20) setImmediate(work);
      else console.log(getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space').space_size);
    };
    setInterval(() => ticks++, 100).unref();
    work();
  `);
  expect(bytes).toBeGreaterThanOrEqual(8 * 1024 * 1024);
  expect(bytes).toBeLessThanOrEqual(16 * 1024 * 1024);
});

it('goes on where the system does not tell what is resident, as without a free file descriptor', () => {
  const looks = run(`
    let looks = 0;
    process.memoryUsage.rss = () => {
      if (++looks === 3) console.log(looks);
      throw Object.assign(new Error('too many open files'), { code: 'EMFILE' });
    };
    memory.boundResidentMemory(0);
    setTimeout(() => {}, 5_000).unref();
    const wait = setInterval(() => looks >= 3 && clearInterval(wait), 20);
  `);
  expect(looks).toBe(3);
});

it('leaves a small tier 64 MiB, at most half of its budget, for all that is not a piece, and a large one an eleventh', () => {
  const mebibyte = 1024 * 1024;
  const sparedMiB = (ram: number) => Math.round(ram * spareShare(ram * mebibyte));
  expect([64, 128, 256, 512, 1024, 4096].map(sparedMiB)).toEqual([32, 64, 64, 64, 93, 372]);
});
