import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { connect } from 'node:http2';
import { get as getSecure, Agent as SecureAgent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeContent, patternBytes } from '../support/fake-cache.ts';
import { view } from '../support/viewer.ts';
import { openViewers, type TestViewers } from '../support/viewers.ts';

const much = patternBytes(1024 * 1024);
const little = patternBytes(1000);
let folder: string;
let lean: TestViewers;
let plain: TestViewers;

async function open(isLean: boolean): Promise<TestViewers> {
  const viewers = await openViewers({
    lean: isLean,
    listen: [{ host: '127.0.0.1', port: 0 }],
    tlsListen: [{ host: '127.0.0.1', port: 0 }],
    tls: { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') },
  });
  viewers.cache.store('/much', new FakeContent(much));
  viewers.cache.store('/little', new FakeContent(little));
  return viewers;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eddy-throughput-'));
  const pems = await generate([{ name: 'commonName', value: 'a.example' }], { keySize: 2048 });
  await writeFile(join(folder, 'key.pem'), pems.private);
  await writeFile(join(folder, 'cert.pem'), pems.cert);
  [lean, plain] = [await open(true), await open(false)];
});

afterAll(async () => {
  await lean.viewers.close();
  await plain.viewers.close();
  await rm(folder, { recursive: true });
});

/** What the node can tell of the connection at each of these requests, made one after the other on it. */
async function told({ cache }: TestViewers, paths: readonly string[], get: (path: string) => Promise<void>) {
  const estimates: (number | undefined)[] = [];
  for (const path of paths) {
    const answered = get(path);
    const asked = cache.requests.length;
    await answered;
    estimates.push(cache.requests.slice(asked).at(-1)?.throughputKbps?.());
  }
  return estimates;
}

const overHttp = (url: string) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    get: async (path: string) => void (await view(url + path, { agent })),
    close: () => agent.destroy(),
  };
};

const overHttps = (url: string) => {
  const agent = new SecureAgent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  const get = (path: string) =>
    new Promise<void>((resolve, reject) => {
      getSecure(url + path, { agent }, (response) => response.on('end', resolve).resume()).on('error', reject);
    });
  return { get, close: () => agent.destroy() };
};

const overHttp2 = (url: string) => {
  const session = connect(url, { rejectUnauthorized: false });
  const get = (path: string) =>
    new Promise<void>((resolve, reject) => {
      session.request({ ':path': path }).on('end', resolve).on('error', reject).resume();
    });
  return { get, close: () => session.destroy() };
};

describe('what a connection carried', () => {
  it.each([
    ['HTTP/1.1', () => lean, 0, overHttp],
    ['HTTP/1.1 over TLS', () => lean, 1, overHttps],
    ['HTTP/1.1 by node:http', () => plain, 0, overHttp],
    ['HTTP/2', () => lean, 1, overHttp2],
  ])('is known once enough was sent, over %s', async (_name, node, place, open) => {
    const { get, close } = open(node().viewers.urls[place] ?? '');
    try {
      const estimates = await told(node(), ['/little', '/little', '/much', '/little'], get);
      expect(estimates.slice(0, 2)).toEqual([undefined, undefined]);
      // Over loopback a megabyte takes less than a second.
      expect(estimates[3]).toBeGreaterThan(8000);
    } finally {
      close();
    }
  });

  it('is not known of a connection that is gone', async () => {
    const { get, close } = overHttp(lean.url);
    const asked = lean.cache.requests.length;
    await get('/much');
    await get('/much');
    const record = lean.nextRecord();
    close();
    await view(`${lean.url}/little`);
    await record;
    expect(lean.cache.requests[asked]?.throughputKbps?.()).toBeUndefined();
  });
});
