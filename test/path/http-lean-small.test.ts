import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FakeContent, patternBytes } from '../support/fake-cache.ts';
import { bodies, openPlain, plain } from '../support/lean-viewers.ts';
import { RawConnection } from '../support/raw-http.ts';
import type { TestViewers } from '../support/viewers.ts';

const mebibyte = 1024 * 1024;
/** Answers that leave past the stream, of which a connection takes some hundred before its buffers are full. */
const bytes = patternBytes(60_000);
const ask = 'GET /some HTTP/1.1\r\nHost: a\r\n\r\n';
let open: TestViewers | undefined;

afterEach(async () => {
  await open?.viewers.close();
  open = undefined;
});

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eddy-small-'));
  const pems = await generate([{ name: 'commonName', value: 'small.example' }], { keyType: 'ec', curve: 'P-256' });
  await writeFile(join(folder, 'cert.pem'), pems.cert);
  await writeFile(join(folder, 'key.pem'), pems.private);
});
afterAll(() => rm(folder, { recursive: true }));

async function start(protocol: string, limits = {}): Promise<TestViewers> {
  const address = [{ host: '127.0.0.1', port: 0 }];
  const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  const listen = protocol === 'https' ? { listen: [], tlsListen: address, tls } : {};
  open = await openPlain({ pipelineMax: 1000, ...limits }, listen);
  open.cache.store('/some', new FakeContent(bytes), { fields: { ETag: '"s"' } });
  return open;
}

describe.each(['http', 'https'])('many small answers over %s', (protocol) => {
  it('come whole and in order to a viewer that reads late', async () => {
    const test = await start(protocol);
    const connection = await RawConnection.open(test.url);
    connection.socket.pause();
    connection.send(ask.repeat(400) + plain);
    // So many were answered before the connection was full, and no more are until it is read.
    await expect.poll(() => test.records.length).toBeGreaterThan(2);
    let before = -1;
    await expect
      .poll(() => {
        const same = before === test.records.length;
        before = test.records.length;
        return same;
      })
      .toBe(true);
    expect(test.records.length).toBeLessThan(400);
    connection.socket.resume();
    for (let i = 0; i < 400; i++) expect((await connection.response())?.body.equals(bytes)).toBe(true);
    expect(await bodies(connection, 1)).toEqual(['small']);
    await expect.poll(() => test.records.length).toBe(401);
    expect(test.records.every(({ complete }) => complete)).toBe(true);
    connection.destroy();
  });

  it('end with the connection when the viewer takes none', async () => {
    const test = await start(protocol, { stallTimeoutMs: 400 });
    const connection = await RawConnection.open(test.url);
    connection.socket.pause();
    connection.send(ask.repeat(400));
    await expect.poll(() => test.viewers.connections()).toBe(0);
    expect(test.records.at(-1)).toMatchObject({ status: 200, complete: false });
    expect(test.records.length).toBeLessThan(400);
    connection.destroy();
  });

  it('end without harm when the viewer leaves', async () => {
    const test = await start(protocol);
    const connection = await RawConnection.open(test.url);
    connection.socket.pause();
    connection.send(ask.repeat(400));
    await expect.poll(() => test.records.length).toBeGreaterThan(2);
    connection.destroy();
    await expect.poll(() => test.viewers.connections()).toBe(0);
    expect(test.logged).toEqual([]);
    const next = await RawConnection.open(test.url);
    next.send(plain);
    expect(await bodies(next, 1)).toEqual(['small']);
    next.destroy();
  });

  it('are followed by long ones that come in parts, to a viewer that reads late', async () => {
    const test = await start(protocol);
    const long = patternBytes(3 * mebibyte + 17);
    for (const lengthKnown of [true, false]) {
      const content = new FakeContent(long, { inRam: false, step: 5_000, lengthKnown });
      test.cache.store(`/long/${lengthKnown}`, content, { peeks: false });
    }
    const connection = await RawConnection.open(test.url);
    connection.socket.pause();
    const asks = ['/some', '/long/true', '/some', '/long/false', '/some'];
    connection.send(
      asks
        .map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
        .join('')
        .repeat(3),
    );
    await expect.poll(() => test.records.length).toBeGreaterThan(0);
    connection.socket.resume();
    for (const path of [...asks, ...asks, ...asks]) {
      const response = await connection.response();
      expect(response?.whole).toBe(true);
      expect(response?.body.equals(path === '/some' ? bytes : long)).toBe(true);
    }
    connection.destroy();
  });

  it('come whole to a viewer that closes its side behind its requests', async () => {
    const test = await start(protocol);
    const connection = await RawConnection.open(test.url);
    connection.send(ask.repeat(20));
    connection.socket.end();
    for (let i = 0; i < 20; i++) expect((await connection.response())?.body.equals(bytes)).toBe(true);
    await connection.closed();
    expect(test.logged).toEqual([]);
  });
});
