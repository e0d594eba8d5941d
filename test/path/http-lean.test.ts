import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { chunksOf, FakeContent, passed, patternBytes } from '../support/fake-cache.ts';
import { bodies, gated, openPlain, plain, post } from '../support/lean-viewers.ts';
import { exchange, RawConnection } from '../support/raw-http.ts';
import { openViewers, type TestViewers } from '../support/viewers.ts';

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

describe('plain and other requests on one connection', () => {
  it('are answered in order, whoever answers them', async () => {
    const test = await start();
    const gate = gated(test, '/slow');
    const connection = await RawConnection.open(test.url);
    connection.send(`${plain}GET /slow HTTP/1.1\r\nHost: a\r\n\r\n${plain}${post}${plain}${post}`);
    expect(await bodies(connection, 1)).toEqual(['small']);
    gate.resolve();
    expect(await bodies(connection, 5)).toEqual(['/slow', 'small', 'hi', 'small', 'hi']);
    connection.send(plain);
    expect(await bodies(connection, 1)).toEqual(['small']);
    connection.destroy();
    expect(test.records).toHaveLength(7);
  });

  it('are answered in order when they come in any pieces', async () => {
    const test = await start();
    const all = `${plain}${post}${plain}`;
    for (let cut = 1; cut < all.length; cut += 3) {
      const connection = await RawConnection.open(test.url);
      connection.socket.setNoDelay(true);
      connection.send(all.slice(0, cut));
      await new Promise(setImmediate);
      connection.send(all.slice(cut));
      expect(await bodies(connection, 3)).toEqual(['small', 'hi', 'small']);
      connection.destroy();
    }
  });

  it('end where a plain one asks for it (RFC 9112 9.6)', async () => {
    const { url } = await start();
    const connection = await RawConnection.open(url);
    connection.send(`GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n${plain}`);
    const response = await connection.response();
    expect([response?.body.toString(), response?.fields.get('connection')]).toEqual(['small', 'close']);
    expect(await connection.response()).toBeUndefined();
    await connection.closed();
  });

  it('wait unread behind one that takes long, within bounds', async () => {
    const test = await start();
    const gate = gated(test, '/slow');
    const connection = await RawConnection.open(test.url);
    connection.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    const flood = Buffer.from(plain.repeat(20_000));
    for (let sent = 0; sent < 64 * mebibyte; sent += flood.length) {
      if (connection.socket.write(flood)) continue;
      const blocked = await Promise.race([
        once(connection.socket, 'drain').then(() => false),
        new Promise((resolve) => setTimeout(() => resolve(true), 300)),
      ]);
      if (blocked === true) break;
    }
    // What the two kernels hold for a connection, and two reads.
    expect(connection.socket.bytesWritten - connection.socket.writableLength).toBeLessThan(32 * mebibyte);
    gate.resolve();
    expect(await bodies(connection, 3)).toEqual(['/slow', 'small', 'small']);
    connection.destroy();
  });
});

describe('a plain request', () => {
  it('is answered as node:http answers it: HEAD, conditions, ranges', async () => {
    const content = () => new FakeContent(patternBytes(1000));
    const test = await start();
    const other = await openViewers({ lean: false });
    const fields = {
      ETag: '"v"',
      'Last-Modified': 'Sat, 01 Jan 2022 00:00:00 GMT',
      Date: 'Sun, 02 Jan 2022 00:00:00 GMT',
    };
    for (const { cache } of [test, other]) cache.store('/file', content(), { fields });
    const lines = [
      ...['', 'If-None-Match: "v"\r\n', 'If-Match: "w"\r\n', 'If-Modified-Since: Sat, 01 Jan 2022 00:00:00 GMT\r\n'],
      ...['Range: bytes=0-0\r\n', 'Range: bytes=-5\r\n', 'Range: bytes=10-\r\n', 'Range: bytes=1000-\r\n'],
      ...['Range: bytes=1-2\r\nIf-Range: "v"\r\n', 'Range: bytes=1-2\r\nIf-Range: "w"\r\n'],
    ];
    for (const method of ['GET', 'HEAD']) {
      for (const line of lines) {
        const request = `${method} /file HTTP/1.1\r\nHost: a\r\n${line}\r\n`;
        const [ours, theirs] = await Promise.all([
          exchange(test.url, request, method),
          exchange(other.url, request, method),
        ]);
        expect({ request, ...ours }).toEqual({ request, ...theirs });
      }
    }
    await other.viewers.close();
  });

  it('gets interim responses before the final one (RFC 8297)', async () => {
    const test = await start();
    test.cache.on('/hints', (request) => {
      request.onInformational?.(103, request.fields.with('Link', '</a>; rel=preload'));
      return passed(200, chunksOf('done'), { fields: { 'Content-Length': '4' } });
    });
    const connection = await RawConnection.open(test.url);
    connection.send('GET /hints HTTP/1.1\r\nHost: a\r\n\r\n');
    const [hints, final] = [await connection.response(), await connection.response()];
    expect([hints?.status, hints?.fields.get('link')]).toEqual([103, '</a>; rel=preload']);
    expect(final?.body.toString()).toBe('done');
    connection.destroy();
  });

  it('that the viewer leaves aborts what runs for it', async () => {
    const test = await start();
    const aborted = Promise.withResolvers<unknown>();
    const asked = Promise.withResolvers<void>();
    test.cache.on('/abort', ({ signal }) => {
      signal.addEventListener('abort', () => aborted.resolve(signal.reason));
      asked.resolve();
      return new Promise(() => {});
    });
    const next = test.nextRecord();
    const connection = await RawConnection.open(test.url);
    connection.send('GET /abort HTTP/1.1\r\nHost: a\r\n\r\n');
    await asked.promise;
    connection.destroy();
    expect(await aborted.promise).toMatchObject({ code: 'client-gone' });
    expect(await next).toMatchObject({ complete: false, status: 0 });
  });

  it('with a field that cannot be sent back is an error, not half an answer', async () => {
    const test = await start();
    test.cache.store('/bad', new FakeContent(Buffer.from('x')), { fields: { 'X-A': 'a\r\nb' } });
    const response = await exchange(test.url, 'GET /bad HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(response.status).toBe(500);
    expect(test.logged.some((line) => line.includes('failed'))).toBe(true);
  });
});

describe('a viewer that has closed its side', () => {
  it('gets the whole of what has begun', async () => {
    const test = await start();
    const bytes = patternBytes(5 * mebibyte);
    test.cache.store('/large', new FakeContent(bytes));
    const connection = await RawConnection.open(test.url);
    connection.socket.end('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
    const response = await connection.response();
    expect([response?.whole, response?.body.equals(bytes)]).toEqual([true, true]);
    await connection.closed();
    await expect.poll(() => test.viewers.connections()).toBe(0);
  });

  it('gets no answer that must be waited for, and nothing runs on for it', async () => {
    const test = await start();
    const aborted = Promise.withResolvers<void>();
    test.cache.on('/wait', ({ signal }) => {
      signal.addEventListener('abort', () => aborted.resolve());
      return new Promise(() => {});
    });
    const connection = await RawConnection.open(test.url);
    connection.socket.end('GET /wait HTTP/1.1\r\nHost: a\r\n\r\n');
    await aborted.promise;
    expect(await connection.response()).toBeUndefined();
    await connection.closed();
  });
});
