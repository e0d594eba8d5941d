import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = readFileSync(`${root}Dockerfile`, 'utf8').replaceAll('\\\n', ' ');
const lines = text.split('\n').map((line) => line.trim());
const all = (instruction: string): string[] =>
  lines.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1).trim());
const packageJson = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { dependencies: Record<string, string> };

describe('the Dockerfile', () => {
  it('runs on the Node that is pinned', () => {
    const images = all('FROM').map((from) => from.split(' ')[0]);
    expect(images).toHaveLength(2);
    for (const image of images) expect(image).toBe(`node:${packageJson.dependencies['node']}-bookworm-slim`);
  });

  it('copies what exists and is not ignored', () => {
    const ignore = readFileSync(`${root}.dockerignore`, 'utf8').split('\n');
    const sources = all('COPY')
      .filter((copy) => !copy.startsWith('--from'))
      .flatMap((copy) => copy.split(/\s+/).slice(0, -1));
    expect(sources).toContain('src');
    for (const source of sources) {
      expect(existsSync(`${root}${source}`), source).toBe(true);
      expect(ignore, source).toContain(`!${source}`);
    }
  });

  it('does not run as root, and is watched', () => {
    const user = all('USER');
    expect(user.at(-1)).toBe('node');
    expect(all('HEALTHCHECK').join()).toContain('/healthz');
    expect(all('VOLUME')).toHaveLength(1);
  });

  it('starts a program that starts', () => {
    const command = JSON.parse(all('CMD').at(-1) ?? '[]') as string[];
    expect(command[0]).toBe('node');
    const started = spawnSync(process.execPath, [...command.slice(1), '--help'], { cwd: root, encoding: 'utf8' });
    expect(started.status, started.stderr).toBe(0);
    expect(started.stdout).toContain('--origin');
  });
});
