import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const program = fileURLToPath(new URL('../../src/demo/run.ts', import.meta.url));

function demo(args: readonly string[]) {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => lines.push(line));
  return { child, lines, reader };
}

it('the demo shows the origin giving what one viewer takes, and ends cleanly on Ctrl-C', {
  timeout: 90_000,
}, async () => {
  const { child, lines, reader } = demo([]);
  const ended = once(child, 'exit');
  for await (const line of reader) if (/^[5-9] s: /.test(line)) break;
  child.kill('SIGINT');
  expect(await ended).toEqual([0, null]);
  expect(lines.filter((line) => line.startsWith('node: '))).toHaveLength(3);
  const seen = lines.filter((line) => line.includes(' times what was asked for')).at(-1);
  const [, viewers, origin] = /got ([\d.]+) MB, .* gave ([\d.]+) MB /.exec(seen ?? '') ?? [];
  expect(seen).not.toContain('failed');
  // Three nodes that fetched for themselves, and ahead, would make it 1 and less.
  expect(Number(viewers)).toBeGreaterThan(1.25 * Number(origin));
  // No node is left behind.
  const pages = lines.map((line) => /page (\S+),/.exec(line)?.[1]).filter((url) => url !== undefined);
  for (const url of pages) await expect(fetch(url)).rejects.toThrow();
});

it('the demo refuses options that make no sense', async () => {
  const { child } = demo(['--nodes', '1']);
  let errors = '';
  child.stderr.on('data', (part) => {
    errors += String(part);
  });
  expect(await once(child, 'close')).toEqual([2, null]);
  expect(errors).toContain('--nodes 1: must be a whole number from 2 to 20');
});
