import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

const program = new URL('../../src/node/process-memory.ts', import.meta.url).href;
const timeoutMs = 30_000;

/** The number that a process prints which runs these lines. */
function run(lines: string): number {
  const script = `import * as memory from '${program}';\nimport * as hooks from 'node:perf_hooks';\n${lines}`;
  const args = ['--input-type=module', '--eval', script];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8', timeout: timeoutMs }));
}

/** Holds more and more, up to 320 MiB, and tells how often V8 marked its heap meanwhile. */
const fill = `
  let marks = 0;
  const count = (entries) => {
    for (const { detail } of entries) if (detail.kind === hooks.constants.NODE_PERFORMANCE_GC_MAJOR) marks++;
  };
  const observer = new hooks.PerformanceObserver((list) => count(list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  const held = [];
  const timer = setInterval(() => {
    for (let i = 0; i < 8; i++) held.push(Buffer.alloc(256 * 1024));
    if (held.length < 4 * 320) return;
    clearInterval(timer);
    count(observer.takeRecords());
    console.log(marks);
  }, 5);
`;

it('marks a heap that fills by what may wait, and not at each tenth', { timeout: timeoutMs }, () => {
  const marks = (setup: string) => run(`memory.tuneProcessMemory();\n${setup}\n${fill}`);
  const [each, spaced] = [marks(''), marks('memory.spaceMarks(1024 ** 3);')];
  expect(spaced).toBeGreaterThan(0);
  expect(spaced).toBeLessThanOrEqual(each / 2);
});

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
