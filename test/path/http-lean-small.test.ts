import { afterEach, describe, expect, it } from 'vitest';
import { FakeContent, patternBytes } from '../support/fake-cache.ts';
import { bodies, openPlain, plain } from '../support/lean-viewers.ts';
import { RawConnection } from '../support/raw-http.ts';
import type { TestViewers } from '../support/viewers.ts';

/** Answers that leave past the stream, of which a connection takes some hundred before its buffers are full. */
const bytes = patternBytes(60_000);
const ask = 'GET /some HTTP/1.1\r\nHost: a\r\n\r\n';
let open: TestViewers | undefined;

afterEach(async () => {
  await open?.viewers.close();
  open = undefined;
});

async function start(limits = {}): Promise<TestViewers> {
  open = await openPlain({ pipelineMax: 1000, ...limits });
  open.cache.store('/some', new FakeContent(bytes), { fields: { ETag: '"s"' } });
  return open;
}

describe('many small answers', () => {
  it('come whole and in order to a viewer that reads late', async () => {
    const test = await start();
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
    const test = await start({ stallTimeoutMs: 400 });
    const connection = await RawConnection.open(test.url);
    connection.socket.pause();
    connection.send(ask.repeat(400));
    await expect.poll(() => test.viewers.connections(), { timeout: 5000 }).toBe(0);
    expect(test.records.at(-1)).toMatchObject({ status: 200, complete: false });
    expect(test.records.length).toBeLessThan(400);
    connection.destroy();
  });

  it('end without harm when the viewer leaves', async () => {
    const test = await start();
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
});
