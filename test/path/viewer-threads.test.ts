import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BroadcastChannel } from 'node:worker_threads';
import { generate } from 'selfsigned';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { VideoCache } from '../../src/cache/cache.ts';
import { limitsSchema } from '../../src/config/limits.ts';
import { Fields } from '../../src/fields.ts';
import { createMetrics } from '../../src/metrics.ts';
import { startViewerThreads } from '../../src/node/viewers/viewer-threads.ts';
import { RamTier } from '../../src/ram/tier.ts';
import { AskServer } from '../../src/workers/ask-server.ts';
import { Lender } from '../../src/workers/lender.ts';
import { configOf } from '../support/config-load.ts';
import { type Eddy, startEddy } from '../support/eddy.ts';
import { testPolicy } from '../support/edge.ts';
import { fuzzSeed } from '../support/fuzz.ts';
import { resourceBytes, startOrigin, type TestOrigin } from '../support/origin.ts';
import { seededRandom } from '../support/random.ts';
import { soon } from '../support/until.ts';
import { type Viewed, view } from '../support/viewer.ts';

const mebibyte = 1024 * 1024;
const rangesChecked = 600;
let origin: TestOrigin;

/** Connections are spread by the kernel: that all of so many reach one thread is as good as impossible. */
const many = 24;

function all(url: string, options: Parameters<typeof view>[1] = {}): Promise<Viewed[]> {
  return Promise.all(Array.from({ length: many }, () => view(url, options)));
}

/** A metric's samples, summed. */
async function metric({ admin }: Eddy, name: string, labels = ''): Promise<number> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const samples = text.split('\n').filter((line) => new RegExp(`^${name}[{ ]`).test(line) && line.includes(labels));
  return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

describe('a node with two viewer threads', () => {
  let node: Eddy;
  let folder: string;
  let https: string;

  beforeAll(async () => {
    origin = await startOrigin({
      '/a.ts': { length: 3 * mebibyte },
      '/herd.ts': { length: mebibyte, delayMs: 200 },
      '/news.ts': { length: 100_000, changeAfterRequests: 1 },
      '/slow.ts': { length: 2 * mebibyte, bytesPerSecond: mebibyte, fields: { 'Cache-Control': 'no-store' } },
      '/in': (request, response) => void request.pipe(response.writeHead(200, { 'Cache-Control': 'max-age=60' })),
      ...Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`/many/${i}.ts`, { length: mebibyte }] as const)),
    });
    folder = await mkdtemp(join(tmpdir(), 'eddy-threads-'));
    const pems = await generate([{ name: 'commonName', value: 'a.example' }], { keySize: 2048 });
    await writeFile(join(folder, 'key.pem'), pems.private);
    await writeFile(join(folder, 'cert.pem'), pems.cert);
    node = await startEddy([
      ...['--workers', '2', '--origin', origin.url, '--ram', '8MiB', '--disk', '64MiB', '--https', '127.0.0.1:0'],
      ...['--tls-cert', join(folder, 'cert.pem'), '--tls-key', join(folder, 'key.pem')],
    ]);
    https = String((node.ready['http'] as string[])[1]);
  });
  afterAll(async () => {
    await node.kill();
    await origin.close();
    await rm(folder, { recursive: true });
  });

  test('gives the right bytes, ranges and conditions on every connection, each as a hit from the second time on', async () => {
    const bytes = resourceBytes('/a.ts', { first: 0, length: 3 * mebibyte });
    const first = await view(`${node.http}/a.ts`);
    expect(first.headers['cache-status']).toContain('fwd=miss');
    for (const { body, headers } of await all(`${node.http}/a.ts`)) {
      expect(body.equals(bytes)).toBe(true);
      expect(headers['cache-status']).toMatch(/^eddy; hit; ttl=\d+; detail=ram$/);
      expect(headers.via).toBe('1.1 eddy');
    }
    const range = 'bytes=262100-262200';
    for (const { status, body } of await all(`${node.http}/a.ts`, { headers: { range } }))
      expect([status, body.equals(bytes.subarray(262_100, 262_201))]).toEqual([206, true]);
    const ifNoneMatch = { 'if-none-match': String(first.headers.etag) };
    for (const { status } of await all(`${node.http}/a.ts`, { headers: ifNoneMatch })) expect(status).toBe(304);
    expect(origin.count('/a.ts')).toBe(1);
  });

  test('asks once for a herd', async () => {
    const herd = await Promise.all(Array.from({ length: 200 }, () => view(`${node.http}/herd.ts`)));
    const bytes = resourceBytes('/herd.ts', { first: 0, length: mebibyte });
    expect(herd.every(({ body }) => body.equals(bytes))).toBe(true);
    expect(origin.count('/herd.ts')).toBe(1);
  });

  test('gives nothing old on any connection once a purge is answered, or an unsafe request', async () => {
    await all(`${node.http}/news.ts`);
    const purged = await fetch(`${node.admin}/api/purge`, { method: 'POST', body: '{"url":"/news.ts"}' });
    expect(await purged.json()).toEqual({ purged: 1 });
    const news = resourceBytes('/news.ts', { version: 2, first: 0, length: 100_000 });
    for (const { body } of await all(`${node.http}/news.ts`)) expect(body.equals(news)).toBe(true);
    await all(`${node.http}/in`);
    const posted = await fetch(`${node.http}/in`, { method: 'POST', body: 'x'.repeat(300_000) });
    expect((await posted.text()).length).toBe(300_000);
    const before = origin.count('/in');
    await all(`${node.http}/in`);
    expect(origin.count('/in')).toBe(before + 1);
  });

  test('counts every request and byte once, whichever thread served it', async () => {
    const served = async () => {
      const tiers = await Promise.all(
        ['ram', 'disk', 'peer', 'origin'].map((tier) => metric(node, 'eddy_served_body_bytes_total', `tier="${tier}"`)),
      );
      return tiers.reduce((sum, bytes) => sum + bytes, 0);
    };
    const [requests, bytes] = [await metric(node, 'eddy_client_requests_total'), await served()];
    const answered = await all(`${node.http}/a.ts`, { headers: { range: 'bytes=0-999' } });
    const took = answered.reduce((sum, { body }) => sum + body.length, 0);
    await soon(async () => expect(await metric(node, 'eddy_client_requests_total')).toBe(requests + many));
    expect(await served()).toBe(bytes + took);
    expect(await metric(node, 'eddy_client_request_duration_seconds_count')).toBe(requests + many);
    // fetch keeps the connection of the test before.
    await soon(async () => expect(await metric(node, 'eddy_client_connections')).toBeLessThanOrEqual(1));
    const status = (await (await fetch(`${node.admin}/api/status`)).json()) as { requests: { total: number } };
    expect(status.requests.total).toBe(requests + many);
  });

  test('tells players what their connections carried', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const said: string[] = [];
    for (let i = 0; i < 2; i++) {
      const { headers } = await view(`${node.http}/a.ts?CMCD=ot%3Dv`, { agent });
      said.push(String(headers['cmsd-dynamic']));
    }
    agent.destroy();
    expect(said).toEqual([expect.not.stringContaining('etp'), expect.stringMatching(/;etp=\d+00$/)]);
  });

  test('logs one whole line for each request', async () => {
    const target = '/a.ts?line';
    await all(node.http + target);
    const lines = () => node.stdoutLines.filter((line) => line.includes(target));
    await soon(() => expect(lines()).toHaveLength(many));
    for (const line of node.stdoutLines) expect(() => JSON.parse(line)).not.toThrow();
  });

  test('speaks HTTPS and HTTP/2 in its threads', async () => {
    const bytes = resourceBytes('/a.ts', { first: 0, length: 3 * mebibyte });
    for (let i = 0; i < 4; i++) {
      const session = connectHttp2(https, { rejectUnauthorized: false });
      const stream = session.request({ ':path': '/a.ts' });
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
      session.close();
    }
  });

  test('gives right bytes while pieces come and go between disk, RAM and threads', async () => {
    const random = seededRandom(fuzzSeed);
    const below = (end: number): number => Math.floor(random() * end);
    const one = async (): Promise<void> => {
      for (let i = 0; i < rangesChecked / 12; i++) {
        const path = `/many/${below(16)}.ts`;
        const first = below(mebibyte);
        const last = Math.min(mebibyte - 1, first + below(400_000));
        const { status, body } = await view(node.http + path, { headers: { range: `bytes=${first}-${last}` } });
        const right = body.equals(resourceBytes(path, { first, length: last - first + 1 }));
        expect([status, right, fuzzSeed]).toEqual([206, true, fuzzSeed]);
      }
    };
    await Promise.all(Array.from({ length: 12 }, one));
  });

  test('ends after the last of its running responses, all of them whole', async () => {
    const running = all(`${node.http}/slow.ts`);
    await soon(() => expect(origin.count('/slow.ts')).toBe(many));
    const stopped = node.stop();
    const bytes = resourceBytes('/slow.ts', { first: 0, length: 2 * mebibyte });
    for (const { body } of await running) expect(body.equals(bytes)).toBe(true);
    expect(await stopped).toBe(0);
    expect(node.stdoutLines.filter((line) => line.includes('/slow.ts'))).toHaveLength(many);
  });
});

describe('a viewer thread that crashes', () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  test('is started again, and what it counted and served is accounted for', async () => {
    const bytes = Buffer.alloc(1000, 7);
    const metrics = createMetrics({ version: '0' });
    const lender = new Lender({ keysMax: 100, onShared: () => {}, offsetOf: () => undefined });
    const ram = new RamTier({ bytesMax: mebibyte, onDropped: lender.dropped });
    const cache = new VideoCache({
      ...{ ram, disk: undefined, entriesMax: 100, now: Date.now, policies: () => [testPolicy] },
      suppliers: [{ name: 'origin', supply: async () => supplyOf(bytes) }],
      onServed: () => {},
      onBackgroundError: () => {},
      onChanged: lender.changed,
    });
    const reasonsAtCrash: (readonly string[])[] = [];
    const error = vi.fn(() => reasonsAtCrash.push(threads.reasons()));
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error, access: () => {}, lines: () => {} };
    const threads = await startViewerThreads({
      config: {
        ...configOf({ argv: ['--listen', '127.0.0.1:0', '--origin', 'http://127.0.0.1:1'] }),
        workers: 1,
        limits: limitsSchema.parse({}),
      },
      policies: [testPolicy],
      log: { ...log, pretty: false, setLevel: () => {} },
      metrics,
      openAskServer: (port) =>
        new AskServer(port, { cache, lending: cache, ram, lender, policies: () => [testPolicy] }),
      program: new URL('../support/crashing-thread.ts', import.meta.url),
    });
    closing.push(() => threads.close());
    const url = `${threads.urls[0]}/a.ts`;
    expect((await all(url)).every(({ body }) => body.equals(bytes))).toBe(true);
    await threads.refresh();
    const told = new BroadcastChannel('crash');
    told.postMessage('now');
    await soon(() => expect(error).toHaveBeenCalled());
    const crashed = expect.objectContaining({ message: 'crashed by a test' });
    expect(error).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ err: crashed }), expect.anything());
    expect(reasonsAtCrash).toEqual([['no viewer thread is running']]);
    told.close();
    await soon(async () => expect((await view(url)).body.equals(bytes)).toBe(true));
    expect(threads.reasons()).toEqual([]);
    await threads.refresh();
    expect(metrics.requests.totals().total).toBeGreaterThan(many);
    expect(metrics.requests.totals().inFlight).toBe(0);
    expect(threads.urls[0]).toBe(new URL(url).origin);
    const purging = cache.purge('all', AbortSignal.timeout(20_000));
    expect(await purging).toBe(1);
    await lender.settled();
  });
});

function supplyOf(bytes: Buffer) {
  const now = Date.now();
  return {
    ...{ source: 'origin' as const, status: 200, requestTimeMs: now, responseTimeMs: now },
    fields: Fields.of({ 'Content-Length': bytes.length, 'Cache-Control': 'max-age=60', ETag: '"a"' }),
    body: (async function* () {
      yield bytes;
    })(),
  };
}
