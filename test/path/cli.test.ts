import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { type Eddy, runEddy, startEddy } from '../support/eddy.ts';
import { removeTree } from '../support/remove-tree.ts';

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function start(...[args, options]: Parameters<typeof startEddy>): Promise<Eddy> {
  const eddy = await startEddy(args, options);
  cleanups.push(() => eddy.kill());
  return eddy;
}

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'eddy-cli-'));
  cleanups.push(() => removeTree(path));
  return path;
}

/** An origin that answers everything with that text, uncacheable. `hold`: never ends its answers. */
async function origin(text: string, { hold = false } = {}): Promise<string> {
  const server: Server = createServer((_request, response) => {
    response.writeHead(200, { 'Cache-Control': 'no-store', 'Content-Type': 'text/plain' });
    response.write(text);
    if (!hold) response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Resolves with the first line of the log, from now or before, that has this message. */
async function logged(eddy: Eddy, message: string): Promise<Record<string, unknown>> {
  for (;;) {
    const line = eddy.stdoutLines.find((each) => each.includes(`"msg":${JSON.stringify(message)}`));
    if (line !== undefined) return JSON.parse(line) as Record<string, unknown>;
    if (eddy.process.stdout === null || eddy.process.exitCode !== null) throw new Error(`never logged: ${message}`);
    await once(eddy.process.stdout, 'data', { signal: AbortSignal.timeout(20_000) });
    // The line reader gets the same data; let it finish.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const text = async (url: string) => (await fetch(url)).text();

describe('the program', () => {
  it('prints its help and its version', async () => {
    const [help, version] = await Promise.all([runEddy(['--help']), runEddy(['--version'])]);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('--origin URL');
    expect(version).toMatchObject({ code: 0, stdout: '0.1.0\n' });
  });

  it('names everything that is wrong with its configuration and exits with 2', async () => {
    const exit = await runEddy(['--ramm', '1GiB', '--listen', 'x'], { env: { EDDY_LOG_LEVEL: 'loud' } });
    expect(exit.code).toBe(2);
    expect(exit.stdout).toBe('');
    expect(exit.stderr.trimEnd().split('\n')).toEqual([
      'eddy: --ramm is not an option: did you mean --ram?',
      expect.stringMatching(/^eddy: --listen is "x": must be HOST:PORT/),
      expect.stringMatching(/^eddy: EDDY_LOG_LEVEL is "loud": must be one of/),
    ]);
  });

  it('exits with 1 when it cannot listen', async () => {
    const { port } = new URL(await origin(''));
    const exit = await runEddy([
      '--listen',
      `127.0.0.1:${port}`,
      '--admin',
      '127.0.0.1:0',
      '--data',
      await directory(),
    ]);
    expect(exit.code).toBe(1);
    const said = `--listen is "127.0.0.1:${port}": must be an address that nothing else listens on (EADDRINUSE)`;
    expect(exit.stderr).toBe(`eddy: ${said}\n`);
    expect(JSON.parse(exit.stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({ level: 'fatal', reason: said });
  });

  it('says in one JSON line where it serves, from any directory and at any log level', async () => {
    const cwd = await directory();
    const eddy = await start(['--origin', await origin('hello'), '--log-level', 'silent'], { cwd });
    expect(eddy.ready).toMatchObject({
      msg: 'ready',
      http: [expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/)],
      admin: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      peerId: expect.stringMatching(/^12D3KooW/),
      peers: [],
    });
    expect(await text(`${eddy.http}/a`)).toBe('hello');
    expect((await fetch(`${eddy.admin}/readyz`)).status).toBe(200);
    expect(await eddy.stop()).toBe(0);
    expect(eddy.stdoutLines).toHaveLength(1);
  });

  it('logs one JSON line for each request', async () => {
    const eddy = await start(['--origin', await origin('hello')]);
    await text(`${eddy.http}/a?token=hunter2`);
    const line = await logged(eddy, 'request');
    expect(line).toMatchObject({ level: 'info', method: 'GET', status: 200, bytes: 5, complete: true, hit: false });
    expect(eddy.stdoutLines.join('\n')).not.toContain('hunter2');
    for (const each of eddy.stdoutLines) expect(() => JSON.parse(each)).not.toThrow();
  });
});

describe('signals', () => {
  it('SIGINT drains: a running response goes on to its end, then the exit code is 0', async () => {
    let finish = (): void => {};
    const server = createServer((_request, response) => {
      response.write('first ');
      finish = () => response.end('last');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(async () => server.close());
    const eddy = await start(['--origin', `http://127.0.0.1:${(server.address() as AddressInfo).port}`]);
    const response = await fetch(`${eddy.http}/a`);
    const exited = once(eddy.process, 'exit');
    eddy.process.kill('SIGINT');
    await logged(eddy, 'draining');
    await expect(fetch(`${eddy.http}/b`)).rejects.toThrow();
    expect((await fetch(`${eddy.admin}/readyz`)).status).toBe(503);
    finish();
    expect(await response.text()).toBe('first last');
    expect(await exited).toEqual([0, null]);
  });

  it('a second one ends it at once with 1', async () => {
    const eddy = await start(['--origin', await origin('never ends', { hold: true })]);
    const response = await fetch(`${eddy.http}/a`);
    const exited = once(eddy.process, 'exit');
    eddy.process.kill('SIGTERM');
    await logged(eddy, 'draining');
    eddy.process.kill('SIGTERM');
    expect(await exited).toEqual([1, null]);
    await expect(response.text()).rejects.toThrow();
  });

  it('SIGHUP takes over a good configuration, and keeps the old one instead of a bad one', async () => {
    const file = join(await directory(), 'eddy.yaml');
    const rest = 'listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\ndisk: 0\nram: 16MiB\n';
    const [before, after] = [await origin('before'), await origin('after')];
    await writeFile(file, `${rest}origin: ${before}\n`);
    const eddy = await start(['--config', file]);
    expect(await text(`${eddy.http}/a`)).toBe('before');

    await writeFile(file, `${rest}origin: nowhere\n`);
    eddy.process.kill('SIGHUP');
    const bad = await logged(eddy, 'the new configuration is bad: the old one stays');
    expect(bad).toMatchObject({ level: 'error', errors: [expect.stringContaining('origin[0]')] });
    expect(await text(`${eddy.http}/a`)).toBe('before');

    await writeFile(file, `${rest}origin: ${after}\n`);
    eddy.process.kill('SIGHUP');
    await logged(eddy, 'configuration reloaded');
    expect(await text(`${eddy.http}/a`)).toBe('after');
    const restart = 'these settings have changed, and take a restart to count';
    expect(eddy.stdoutLines.some((line) => line.includes(restart))).toBe(false);

    await writeFile(file, `${rest.replace('16MiB', '32MiB')}origin: ${after}\n`);
    eddy.process.kill('SIGHUP');
    expect(await logged(eddy, restart)).toMatchObject({ level: 'warn', settings: ['ram'] });
    expect(await eddy.stop()).toBe(0);
  });

  it('a reader of its output that stalls does not stop it', async () => {
    const eddy = await start(['--origin', await origin('hello')]);
    eddy.process.stdout?.pause();
    // More than the socket between the two holds.
    const target = `/${'x'.repeat(2_000)}`;
    for (let i = 0; i < 20; i++) {
      await Promise.all(Array.from({ length: 20 }, () => text(`${eddy.http}${target}`)));
    }
    const exited = once(eddy.process, 'exit');
    eddy.process.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
  });

  it('a reader of its output that goes away does not stop it', async () => {
    const eddy = await start(['--origin', await origin('hello')]);
    eddy.process.stdout?.destroy();
    for (let i = 0; i < 5; i++) expect(await text(`${eddy.http}/a`)).toBe('hello');
    expect(await eddy.stop()).toBe(0);
  });
});

it('npm start passes signals and the exit code on', async () => {
  const data = await directory();
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const args = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--disk', '0', '--data', data];
  // A group of its own, so that nothing of it is left behind when this fails.
  const npm = spawn('npm', ['start', '--silent', '--', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  cleanups.push(async () => endGroup(npm.pid));
  const exited = once(npm, 'exit');
  let out = '';
  for await (const part of npm.stdout) {
    out += String(part);
    if (out.includes('"msg":"ready"')) break;
  }
  npm.stdout.resume();
  npm.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
});

/** Ends what is left of a process group. */
function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // All gone already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
