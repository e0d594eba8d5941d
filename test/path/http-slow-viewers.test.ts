import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { UnsentBound, unsentBudget } from '../../src/http/socket/unsent-bound.ts';
import { FakeContent, patternBytes } from '../support/fake-cache.ts';
import { RawConnection } from '../support/raw-http.ts';
import { openViewers, type TestViewers } from '../support/viewers.ts';

const kibibyte = 1024;
const bytes = patternBytes(3 * 1024 * kibibyte);
const share = 128 * kibibyte;
const slowViewers = 6;
/** What one call to the kernel may put in beyond the bound, and a segment that the viewer's kernel had no room for. */
const overshoot = (64 + 64) * kibibyte;
const request = 'GET /large HTTP/1.1\r\nHost: a\r\n\r\n';

let open: TestViewers | undefined;
let folder: string;
let fd: number;
const connections: RawConnection[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'eddy-slow-'));
  writeFileSync(join(folder, 'large'), bytes);
  fd = openSync(join(folder, 'large'), 'r');
  const pems = await generate([{ name: 'commonName', value: 'a.example' }], { keySize: 2048 });
  writeFileSync(join(folder, 'key.pem'), pems.private);
  writeFileSync(join(folder, 'cert.pem'), pems.cert);
});

afterAll(() => {
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.destroy();
  await open?.viewers.close();
  open = undefined;
});

/** A listener, and that many viewers who are connected and do not read. */
async function start(
  unsentBytesMax: number | undefined,
  { sendfile = false, secure = false, viewers = slowViewers, limits = {} } = {},
): Promise<{ url: string; slow: readonly RawConnection[] }> {
  const offsetOf = (part: Buffer) => (part.buffer === bytes.buffer ? part.byteOffset - bytes.byteOffset : undefined);
  const address = { host: '127.0.0.1', port: 0 };
  const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  const listen = secure ? { listen: [], tlsListen: [address], tls } : { listen: [address] };
  open = await openViewers({ ...listen, limits, unsentBytesMax, ...(sendfile && { backing: { fd, offsetOf } }) });
  open.cache.store('/large', new FakeContent(bytes));
  const { url } = open;
  for (let i = 0; i < viewers; i++) connections.push(await RawConnection.open(url));
  await expect.poll(() => open?.viewers.connections()).toBe(viewers);
  for (const { socket } of connections) socket.pause();
  return { url, slow: [...connections] };
}

/** Bytes that wait in the kernel for each viewer of this port, as /proc/net/tcp tells. */
function waiting(url: string): readonly number[] {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, '0');
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n');
  const fields = lines.map((line) => line.trim().split(/\s+/));
  const own = fields.filter(([, local = '', , state]) => local.endsWith(`:${port}`) && state === '01');
  return own.map(([, , , , queues = '0']) => Number.parseInt(queues, 16));
}

/** The same, once each of them has got what it gets. */
async function settled(url: string, viewers = slowViewers): Promise<readonly number[]> {
  let last = '';
  await expect
    .poll(
      () => {
        const now = waiting(url);
        const same = now.length === viewers && now.every((held) => held > 0) && now.join() === last;
        last = now.join();
        return same;
      },
      { interval: 100 },
    )
    .toBe(true);
  return waiting(url);
}

describe('viewers who do not read', () => {
  it.each([
    ['copied', {}],
    ['sent from a file', { sendfile: true }],
    ['sent over TLS', { secure: true }],
  ])('hold no more in the kernel than their share of what is %s', async (_name, how) => {
    const { url, slow } = await start(slowViewers * share, how);
    for (const connection of slow) connection.send(request);
    const held = await settled(url);
    expect(Math.max(...held)).toBeLessThanOrEqual(share + overshoot);
    // Somebody who reads gets everything meanwhile.
    const fast = await RawConnection.open(url);
    connections.push(fast);
    for (let i = 0; i < 2; i++) {
      fast.send(request);
      expect((await fast.response())?.body.equals(bytes)).toBe(true);
    }
    expect(Math.max(...waiting(url))).toBeLessThanOrEqual(share + overshoot);
    // And so do they, as soon as they read.
    for (const { socket } of slow) socket.resume();
    const answers = await Promise.all(slow.map((connection) => connection.response()));
    expect(answers.every((answer) => answer?.body.equals(bytes) === true)).toBe(true);
  });

  it('are not bounded while they are few', async () => {
    const { url, slow } = await start(slowViewers * share * 1000, { sendfile: true, viewers: 2 });
    for (const connection of slow) connection.send(request);
    expect(Math.min(...(await settled(url, 2)))).toBeGreaterThan(share + 2 * overshoot);
  });

  it('are given more when there are fewer of them', async () => {
    const { slow } = await start(undefined, { viewers: 1 });
    const socket = slow[0]?.socket as Socket;
    let count = 4;
    const bound = UnsentBound.open({ bytesMax: 4 * share, connections: () => count });
    const before = bound?.apply(socket, 0) ?? 0;
    count = 1;
    expect([before, bound?.apply(socket, before)]).toEqual([share, 4 * share]);
    count = 1_000;
    expect(bound?.apply(socket, 4 * share)).toBe(64 * kibibyte);
  });
});

describe('viewers who are sent from a file, and too many to be fast', () => {
  it('leave at any time, and whoever comes in their place gets what he asked for', async () => {
    const { url, slow } = await start(slowViewers * share, { sendfile: true });
    for (const connection of slow) connection.send(request);
    await settled(url);
    for (let i = 0; i < 10; i++) {
      const connection = connections[i % slowViewers];
      const record = open?.nextRecord();
      if (i % 2 === 0) connection?.socket.resetAndDestroy();
      else connection?.destroy();
      expect(await record).toMatchObject({ status: 200, complete: false });
      const next = await RawConnection.open(url);
      connections.push(next);
      next.send(request);
      expect((await next.response())?.body.equals(bytes)).toBe(true);
      next.destroy();
      // One that has read nothing: the kernel has little room for it.
      const slower = await RawConnection.open(url);
      connections[i % slowViewers] = slower;
      slower.socket.pause();
      slower.send(request);
      await settled(url);
    }
  });

  it('get their bytes as they are while they take them in small steps', async () => {
    const { slow } = await start(slowViewers * share, { sendfile: true });
    const answers = slow.map((connection) => {
      const taken = connection.response();
      connection.socket.on('data', () => {
        connection.socket.pause();
        setTimeout(() => connection.socket.resume(), 1);
      });
      connection.socket.resume();
      return taken;
    });
    // The second one waits behind the first, which keeps the node from reading.
    for (const connection of slow) connection.send(request.repeat(2));
    expect((await Promise.all(answers)).every((answer) => answer?.body.equals(bytes) === true)).toBe(true);
    const second = await Promise.all(slow.map((connection) => connection.response()));
    expect(second.every((answer) => answer?.body.equals(bytes) === true)).toBe(true);
  });

  it('get their bytes as they are in a crowd, when they leave it and when it is gone', async () => {
    const viewers = 24;
    const { url, slow } = await start(viewers * share, { sendfile: true, viewers });
    for (const connection of slow) connection.send(request);
    await settled(url, viewers);
    const [last, ...others] = slow;
    for (let round = 0; round < 2; round++) {
      const answers = others.map((connection) => connection.response());
      for (const { socket } of others) socket.resume();
      expect((await Promise.all(answers)).every((answer) => answer?.body.equals(bytes) === true)).toBe(true);
      for (const connection of others) connection.send(request);
    }
    last?.socket.resume();
    expect((await last?.response())?.body.equals(bytes)).toBe(true);
    for (const connection of slow) connection.destroy();
    await expect.poll(() => open?.viewers.connections()).toBe(0);
    const next = await RawConnection.open(url);
    connections.push(next);
    next.socket.pause();
    next.send(request);
    await settled(url, 1);
    next.socket.resume();
    expect((await next.response())?.body.equals(bytes)).toBe(true);
  });

  it('are cut off when they take nothing', async () => {
    const { slow } = await start(slowViewers * share, { sendfile: true, limits: { stallTimeoutMs: 1000 } });
    const record = open?.nextRecord();
    slow[0]?.send(request);
    expect(await record).toMatchObject({ status: 200, complete: false });
  });
});

it('half of what the kernel has for sockets before it is sparing is for what is unsent', () => {
  const [, pressurePages] = readFileSync('/proc/sys/net/ipv4/tcp_mem', 'utf8').split(/\s+/).map(Number);
  // Pages are 4 KiB, 16 or 64 where node runs.
  expect([2048, 8192, 32_768]).toContain((unsentBudget() ?? 0) / (pressurePages ?? 0));
  // A container with a network of its own has no such file.
  expect(unsentBudget('/nowhere')).toBe(totalmem() / 32);
});
