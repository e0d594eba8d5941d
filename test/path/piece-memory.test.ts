import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { PieceMemory } from '../../src/piece-memory.ts';
import { type Eddy, startEddy } from '../support/eddy.ts';
import { startEdge } from '../support/edge.ts';
import { resourceBytes, startOrigin, type TestOrigin } from '../support/origin.ts';
import { soon } from '../support/until.ts';
import { view } from '../support/viewer.ts';

const mebibyte = 1024 * 1024;
/** More than the kernel takes for a viewer who reads nothing, and not a whole number of pieces. */
const long = { length: 12 * mebibyte + 12_345 };
const short = { length: mebibyte + 777 };
const tiny = { length: 32 * 1024 };
const slow = 6;
const churned = 40;

let origin: TestOrigin;
let folder: string;

beforeAll(async () => {
  const names = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `/${prefix}${i}.ts`);
  const resources = (prefix: string, count: number, resource: { length: number }) =>
    names(prefix, count).map((name) => [name, resource] as const);
  origin = await startOrigin(
    Object.fromEntries([
      ...['tcp', 'tls', 'h2'].flatMap((way) => resources(way, slow, long)),
      ...resources('left', slow, long),
      ...resources('churn', churned, short),
      ...resources('tiny', churned, tiny),
    ]),
  );
  folder = await mkdtemp(join(tmpdir(), 'eddy-memory-'));
  const pems = await generate([{ name: 'commonName', value: 'a.example' }], { keySize: 2048 });
  await writeFile(join(folder, 'key.pem'), pems.private);
  await writeFile(join(folder, 'cert.pem'), pems.cert);
});
afterAll(async () => {
  await origin.close();
  await rm(folder, { recursive: true });
});

/** A viewer who has asked, and reads nothing before `all`. */
interface Waiting {
  readonly path: string;
  all(): Promise<Buffer>;
}

async function waitingOn(socket: Socket, path: string): Promise<Waiting> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n`);
  await once(socket, 'readable');
  const all = async () => {
    const answer = await readAll(socket);
    return answer.subarray(answer.indexOf('\r\n\r\n') + 4);
  };
  return { path, all };
}

async function waitingOnHttp2(session: ClientHttp2Session, path: string): Promise<Waiting> {
  const stream = session.request({ ':path': path });
  await once(stream, 'response');
  return { path, all: () => readAll(stream) };
}

async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function expectWhole(body: Buffer, path: string, { length }: { length: number }): void {
  expect(body.length, path).toBe(length);
  expect(body.equals(resourceBytes(path, { first: 0, length })), path).toBe(true);
}

describe.each(['1', '2'])('with --workers %s, memory that others use again', (workers) => {
  let node: Eddy;
  let https: URL;
  let http: URL;

  beforeAll(async () => {
    node = await startEddy([
      ...['--workers', workers, '--origin', origin.url, '--ram', '4MiB', '--disk', '64MiB', '--https', '127.0.0.1:0'],
      ...['--tls-cert', join(folder, 'cert.pem'), '--tls-key', join(folder, 'key.pem')],
    ]);
    http = new URL(node.http);
    https = new URL(String((node.ready['http'] as string[])[1]));
  });
  afterAll(() => node.kill());

  test('is not that of viewers who are slow to read, whatever they read it over', async () => {
    const at = (url: URL) => ({ host: url.hostname, port: Number(url.port), rejectUnauthorized: false });
    const session = connectHttp2(https, { rejectUnauthorized: false });
    const viewers: Promise<Waiting>[] = [];
    for (let i = 0; i < slow; i++) {
      viewers.push(waitingOn(connect(at(http)), `/tcp${i}.ts`));
      viewers.push(waitingOn(connectTls(at(https)), `/tls${i}.ts`));
      viewers.push(waitingOnHttp2(session, `/h2${i}.ts`));
      view(`${node.http}/left${i}.ts`, { leaveAfterBytes: mebibyte }).catch(() => {});
    }
    const waiting = await Promise.all(viewers);
    for (let pass = 0; pass < 2; pass++) {
      for (let i = 0; i < churned; i += 8) {
        const paths = Array.from({ length: 8 }, (_, k) => `/churn${i + k}.ts`);
        const views = await Promise.all(paths.map((path) => view(node.http + path)));
        for (const [k, { body }] of views.entries()) expectWhole(body, paths[k] as string, short);
      }
    }
    const bodies = await Promise.all(waiting.map(({ all }) => all()));
    for (const [i, body] of bodies.entries()) expectWhole(body, waiting[i]?.path ?? '', long);
    session.close();
  });
});

test.each([
  { name: 'churn', ramBytes: 8 * mebibyte, resource: short },
  { name: 'tiny', ramBytes: 8 * tiny.length, resource: tiny },
])('what one viewer read once is held by the tiers alone, and not by the collector: $name', async (each) => {
  const { name, ramBytes, resource } = each;
  const made: Buffer[] = [];
  const allocate = PieceMemory.allocate;
  const spied = vi.spyOn(PieceMemory, 'allocate').mockImplementation((length) => {
    const bytes = allocate(length);
    made.push(bytes);
    return bytes;
  });
  const edge = await startEdge({ origins: [origin.url], ramBytes, diskBytes: 64 * mebibyte });
  try {
    for (let i = 0; i < churned; i++) {
      const path = `/${name}${i}.ts`;
      expectWhole((await view(edge.url + path)).body, path, resource);
    }
    await edge.disk?.flushed();
    expect(made.length).toBeGreaterThanOrEqual(churned);
    await soon(() => expect(made.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(ramBytes));
  } finally {
    spied.mockRestore();
    await edge.close();
  }
});
