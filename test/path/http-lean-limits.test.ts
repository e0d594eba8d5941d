import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import type { Content } from '../../src/cache/types.ts';
import { SharedReads } from '../../src/http/socket/shared-reads.ts';
import { FakeContent, type FakeContentOptions, patternBytes } from '../support/fake-cache.ts';
import { bodies, gated, openPlain, plain, post } from '../support/lean-viewers.ts';
import { exchange, RawConnection } from '../support/raw-http.ts';
import { standStill } from '../support/stand-still.ts';
import type { TestViewers } from '../support/viewers.ts';

const mebibyte = 1024 * 1024;
let open: TestViewers | undefined;

afterEach(async () => {
  await open?.viewers.close();
  open = undefined;
});

async function start(limits = {}): Promise<TestViewers> {
  open = await openPlain(limits);
  return open;
}

/** Content that counts what was taken of it. */
class CountedContent extends FakeContent implements Content {
  taken = 0;

  override peek(first: number, last: number): readonly Buffer[] | undefined {
    const buffers = super.peek(first, last);
    if (buffers !== undefined) this.taken = Math.max(this.taken, last + 1);
    return buffers;
  }

  override async *read(first: number, last: number | undefined, signal: AbortSignal): AsyncGenerator<Buffer> {
    for await (const buffer of super.read(first, last, signal)) {
      this.taken += buffer.length;
      yield buffer;
    }
  }
}

describe('a slow viewer', () => {
  it.each<[string, FakeContentOptions]>([
    ['in RAM', {}],
    ['that come in small buffers', { inRam: false, step: 16 * 1024 }],
  ])('of bytes %s holds a few windows of them, and ends when it takes none', async (_name, options) => {
    const test = await start({ stallTimeoutMs: 500 });
    const content = new CountedContent(Buffer.alloc(64 * mebibyte), options);
    test.cache.store('/large', content, { peeks: options.inRam !== false });
    const connection = await RawConnection.open(test.url);
    connection.socket.pause();
    connection.send('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await test.nextRecord()).toMatchObject({ status: 200, complete: false });
    // What the kernel takes of a connection, and a window.
    expect(content.taken).toBeLessThan(16 * mebibyte);
    await expect.poll(() => test.viewers.connections()).toBe(0);
    connection.destroy();
  });

  it.each<[string, FakeContentOptions]>([
    ['in RAM', {}],
    ['that come in small buffers', { inRam: false, step: 16 * 1024 }],
    ['of unknown length', { inRam: false, lengthKnown: false, step: 50_000 }],
  ])('gets every one of many bytes %s', async (_name, options) => {
    const test = await start();
    const bytes = patternBytes(9 * mebibyte + 17);
    test.cache.store('/large', new FakeContent(bytes, options), { peeks: false });
    const connection = await RawConnection.open(test.url);
    connection.send(`GET /large HTTP/1.1\r\nHost: a\r\n\r\n${plain}`);
    connection.socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 200));
    connection.socket.resume();
    const response = await connection.response();
    expect([response?.whole, response?.body.equals(bytes)]).toEqual([true, true]);
    expect(await bodies(connection, 1)).toEqual(['small']);
    connection.destroy();
  });

  it('is not cut off for a time in which this process stood still', async () => {
    const test = await start({ stallTimeoutMs: 1000, keepAliveTimeoutMs: 100 });
    const bytes = patternBytes(6 * mebibyte);
    test.cache.store('/large', new FakeContent(bytes));
    const connection = await RawConnection.open(test.url);
    connection.send('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(connection.socket, 'data');
    connection.socket.pause();
    // Long enough for two looks that find it waiting.
    await new Promise((resolve) => setTimeout(resolve, 250));
    standStill(1500);
    connection.socket.resume();
    expect((await connection.response())?.body.equals(bytes)).toBe(true);
    connection.send(plain);
    standStill(1500);
    expect(await bodies(connection, 1)).toEqual(['small']);
    connection.destroy();
  });

  it('whose bytes are late is not taken for a stalled one', async () => {
    const test = await start({ stallTimeoutMs: 300 });
    const late = new Promise<void>((resolve) => setTimeout(resolve, 900));
    const content = new FakeContent(patternBytes(200_000), { inRam: false, waitAt: { offset: 100_000, until: late } });
    test.cache.store('/late', content, { peeks: false });
    expect((await exchange(test.url, 'GET /late HTTP/1.1\r\nHost: a\r\n\r\n')).body.length).toBe(200_000);
  });
});

describe('a connection at rest', () => {
  it('ends after its time, which each request begins anew', async () => {
    const { url, viewers } = await start({ keepAliveTimeoutMs: 400 });
    const connection = await RawConnection.open(url);
    for (let i = 0; i < 3; i++) {
      connection.send(plain);
      expect((await connection.response())?.fields.get('keep-alive')).toBe('timeout=0');
      await new Promise((resolve) => setTimeout(resolve, 350));
    }
    const began = performance.now();
    await connection.closed();
    // A second of grace, and one look in a hundred milliseconds.
    expect(performance.now() - began).toBeGreaterThan(900);
    await expect.poll(() => viewers.connections()).toBe(0);
  });

  it('that never asks ends after the time for a header section', async () => {
    const { url } = await start({ headTimeoutMs: 200 });
    const connection = await RawConnection.open(url);
    const began = performance.now();
    await connection.closed();
    expect(performance.now() - began).toBeGreaterThan(190);
  });

  it('counts against the bound, also when it is node:http that reads it', async () => {
    const { url, viewers } = await start({ connectionsMax: 2 });
    const [one, two] = [await RawConnection.open(url), await RawConnection.open(url)];
    one.send(plain);
    two.send(post);
    expect([await bodies(one, 1), await bodies(two, 1)]).toEqual([['small'], ['hi']]);
    expect(viewers.connections()).toBe(2);
    const third = await RawConnection.open(url);
    expect(await third.response()).toBeUndefined();
    for (const each of [one, two]) {
      each.destroy();
      await each.closed();
    }
    await expect.poll(() => viewers.connections()).toBe(0);
    expect((await exchange(url, plain)).body.toString()).toBe('small');
  });
});

describe('a drain', () => {
  it('tells plain and other requests alike, and ends who rests', async () => {
    const test = await start({ drainGraceMs: 200 });
    const gate = gated(test, '/slow');
    const [lean, other, resting, running] = await Promise.all([1, 2, 3, 4].map(() => RawConnection.open(test.url)));
    if (!lean || !other || !resting || !running) throw new Error('unreachable');
    for (const each of [lean, resting]) each.send(plain);
    other.send(post);
    running.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    for (const each of [lean, other, resting]) await each.response();
    const drained = test.viewers.drain(10_000);
    lean.send(plain);
    other.send(plain);
    for (const each of [lean, other]) expect((await each.response())?.fields.get('connection')).toBe('close');
    await Promise.all([lean, other, resting].map((each) => each.closed()));
    await expect.poll(() => test.viewers.connections()).toBe(1);
    gate.resolve();
    expect((await running.response())?.body.toString()).toBe('/slow');
    await drained;
    expect(test.viewers.connections()).toBe(0);
  });
});

describe('reading without a shared buffer', () => {
  it('is for sockets that cannot be moved, and they can be released as well', async () => {
    const taken: string[] = [];
    const [near, far] = pair();
    const take = (buffer: Buffer, length: number) => taken.push(buffer.toString('latin1', 0, length));
    const { socket, release } = new SharedReads().open(near as unknown as Socket, take);
    expect(socket).toBe(near);
    far.write('one');
    await expect.poll(() => taken).toEqual(['one']);
    release();
    const data = once(near, 'data');
    far.write('two');
    expect(String((await data)[0])).toBe('two');
    expect(taken).toEqual(['one']);
  });
});

/** Two ends of a stream that is no socket. */
function pair(): [Duplex, Duplex] {
  const end = (other: () => Duplex): Duplex =>
    new Duplex({
      read() {},
      write(chunk, _encoding, callback) {
        other().push(chunk);
        callback();
      },
    });
  const near: Duplex = end(() => far);
  const far: Duplex = end(() => near);
  return [near, far];
}
