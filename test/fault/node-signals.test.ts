import { mkdtemp, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Eddy, startEddy } from '../support/eddy.ts';
import { assertPattern, resourceSeed, startOrigin, type TestOrigin } from '../support/origin.ts';
import { removeTree } from '../support/remove-tree.ts';
import { view } from '../support/viewer.ts';

const length = 1_500_000;
const files = 24;
const fields = { 'Cache-Control': 'max-age=86400' };
const paths = Array.from({ length: files }, (_, file) => `/segment-${file}.m4s`);

let origin: TestOrigin;
let directory: string;

beforeAll(async () => {
  origin = await startOrigin(Object.fromEntries(paths.map((path) => [path, { length, fields }])));
  directory = await mkdtemp(join(tmpdir(), 'eddy-signals-'));
});
afterAll(async () => {
  await origin.close();
  await removeTree(directory);
});

/** Viewers that ask for ranges and whole files until stopped. Wrong bytes and error statuses reject `ended`. */
class Crowd {
  answered = 0;
  /** Connections refused, reset or cut. */
  cut: unknown[] = [];
  readonly ended: Promise<unknown>;
  readonly #agent = new Agent({ keepAlive: true });
  #stopped = false;

  constructor(url: string, viewers = 12) {
    this.ended = Promise.all(Array.from({ length: viewers }, () => this.#watch(url))).finally(() =>
      this.#agent.destroy(),
    );
    this.ended.catch(() => {});
  }

  stop(): Promise<unknown> {
    this.#stopped = true;
    return this.ended;
  }

  /** Until that many more were answered, or all viewers ended. */
  async more(count: number): Promise<void> {
    const enough = this.answered + count;
    while (this.answered < enough && !this.#stopped) await Promise.race([new Promise(setImmediate), this.ended]);
  }

  async #watch(url: string): Promise<void> {
    while (!this.#stopped) {
      const path = paths[Math.floor(Math.random() * files)] ?? '/';
      const first = Math.floor(Math.random() * (length - 1));
      const whole = Math.random() < 0.3;
      try {
        const viewed = await view(`${url}${path}`, {
          agent: this.#agent,
          ...(!whole && { headers: { Range: `bytes=${first}-${Math.min(length - 1, first + 400_000)}` } }),
        });
        expect(viewed.status).toBe(whole ? 200 : 206);
        expect(viewed.body.length).toBe(Number(viewed.headers['content-length']));
        assertPattern(viewed.body, resourceSeed(path), whole ? 0 : first);
        this.answered++;
      } catch (error) {
        if (!isCut(error)) throw error;
        this.cut.push(error);
        // The node is gone, or goes: this viewer has nobody to ask.
        return;
      }
    }
  }
}

function isCut(error: unknown): boolean {
  return ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '');
}

async function metric(eddy: Eddy, name: string): Promise<number> {
  const { body } = await view(`${eddy.admin}/metrics`);
  const line = body
    .toString()
    .split('\n')
    .find((row) => row.startsWith(`${name} `));
  return Number(line?.split(' ')[1]);
}

it('kill -9 under load, again and again: starts, keeps what it stored, and never gives a wrong byte', {
  timeout: 120_000,
}, async () => {
  const args = ['--origin', origin.url, '--data', join(directory, 'killed'), '--ram', '4MiB', '--disk', '64MiB'];
  for (let round = 0; round < 5; round++) {
    const eddy = await startEddy(args);
    const crowd = new Crowd(eddy.http);
    await crowd.more(60);
    await eddy.kill();
    await crowd.ended;
    expect(crowd.cut.length).toBeGreaterThan(0);
  }
  const eddy = await startEddy(args);
  for (const path of paths) {
    const { body } = await view(`${eddy.http}${path}`);
    assertPattern(body, resourceSeed(path), 0);
  }
  // What was on its way to the disk at a kill is lost, more of it the busier the machine is; what had reached it is not.
  expect(await metric(eddy, 'eddy_origin_body_bytes_total')).toBeLessThan((files * length * 3) / 4);
  expect(await eddy.stop()).toBe(0);
});

it('SIGHUP under load disturbs nobody', { timeout: 60_000 }, async () => {
  const config = join(directory, 'eddy.yaml');
  const text = (seconds: number) =>
    `listen: 127.0.0.1:0
admin: 127.0.0.1:0
data: ${join(directory, 'hup')}
disk: 256MiB
ram: 32MiB
maps:
  - name: all
    prefix: /
    origins: ['${origin.url}']
    lifetimes: {segmentSeconds: ${seconds}}
`;
  await writeFile(config, text(60));
  const eddy = await startEddy(['--config', config]);
  const crowd = new Crowd(eddy.http);
  for (let reload = 1; reload <= 20; reload++) {
    await writeFile(config, text(60 + reload));
    eddy.process.kill('SIGHUP');
    await crowd.more(20);
  }
  await crowd.stop();
  expect(crowd.cut).toEqual([]);
  expect(eddy.stdoutLines.filter((line) => line.includes('configuration reloaded')).length).toBeGreaterThan(0);
  expect(await eddy.stop()).toBe(0);
});

it('SIGTERM under load: every response that began is whole, then the exit code is 0', { timeout: 60_000 }, async () => {
  const eddy = await startEddy(['--origin', origin.url]);
  const crowd = new Crowd(eddy.http);
  await crowd.more(100);
  const stopped = eddy.stop();
  await crowd.ended;
  expect(await stopped).toBe(0);
  // New connections are refused; running ones are told `Connection: close` and never reset.
  expect(crowd.cut.map((error) => (error as NodeJS.ErrnoException).code)).toEqual(crowd.cut.map(() => 'ECONNREFUSED'));
});

it('thousands of viewers who leave in the middle leave nothing behind', { timeout: 120_000 }, async () => {
  const eddy = await startEddy(['--origin', origin.url, '--ram', '16MiB', '--disk', '0']);
  const leave = async (count: number): Promise<void> => {
    let left = count;
    const leaver = async () => {
      while (left-- > 0) {
        const path = paths[left % files] ?? '/';
        await view(`${eddy.http}${path}?v=${left % 97}`, { leaveAfterBytes: 1 + ((left * 7919) % 300_000) }).catch(
          () => {},
        );
      }
    };
    await Promise.all(Array.from({ length: 24 }, leaver));
  };
  await leave(500);
  const before = await metric(eddy, 'process_resident_memory_bytes');
  await leave(2_000);
  await expect.poll(() => metric(eddy, 'eddy_client_requests_in_flight')).toBe(0);
  await expect.poll(() => metric(eddy, 'eddy_client_connections')).toBe(0);
  const { status, body } = await view(`${eddy.http}${paths[0]}`);
  expect(status).toBe(200);
  assertPattern(body, resourceSeed(paths[0] ?? ''), 0);
  expect((await metric(eddy, 'process_resident_memory_bytes')) - before).toBeLessThan(150e6);
  // Resting connections to the origin stay within what its pool may hold.
  expect(origin.connections).toBeLessThan(200);
  expect(await eddy.stop()).toBe(0);
});
