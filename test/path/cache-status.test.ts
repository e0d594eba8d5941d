import { afterEach, describe, expect, it } from 'vitest';
import type { AccessRecord } from '../../src/http/exchange/access.ts';
import { type Edge, startEdge } from '../support/edge.ts';
import { assertPattern, type OriginResource, resourceSeed, startOrigin, type TestOrigin } from '../support/origin.ts';
import { view } from '../support/viewer.ts';

const records: AccessRecord[] = [];
let origin: TestOrigin;
let edge: Edge;

afterEach(async () => {
  records.length = 0;
  await edge.close();
  await origin.close();
});

it('a hit without content is not said to come from the origin', async () => {
  origin = await startOrigin((_request, response) => {
    response.writeHead(204, { 'Cache-Control': 'max-age=60' }).end();
  });
  edge = await startEdge({ origins: [origin.url] });
  expect((await view(`${edge.url}/none`)).headers['cache-status']).toMatch(/fwd=miss; .*detail=origin$/);
  expect((await view(`${edge.url}/none`)).headers['cache-status']).toMatch(/^eddy; hit; .*detail=ram$/);
});

it('a request that failed at the origin counts as one that went on', async () => {
  origin = await startOrigin({});
  edge = await startEdge({ origins: [origin.url], onFinished: (record) => records.push(record) });
  await origin.close();
  expect((await view(`${edge.url}/gone`)).headers['cache-status']).toBe('eddy; fwd=miss');
  expect(records).toMatchObject([{ status: 502, hit: false, fwd: 'miss' }]);
  origin = await startOrigin({});
});

it.each(['"v1"', '"v0"'])(
  'what is answered without content fetches nothing of what is stored in part (%s)',
  async (etag) => {
    origin = await startOrigin({ '/a.mp4': { length: 900_000, fields: { 'Cache-Control': 'max-age=60' } } });
    edge = await startEdge({ origins: [origin.url] });
    await view(`${edge.url}/a.mp4`, { headers: { range: 'bytes=0-9' } });
    const field = etag === '"v1"' ? 'if-none-match' : 'if-match';
    for (const headers of [{ [field]: etag }, { [field]: etag, range: 'bytes=800000-' }]) {
      const answer = await view(`${edge.url}/a.mp4`, { headers });
      expect(answer.status).toBe(field === 'if-match' ? 412 : 304);
      expect(answer.headers['cache-status']).toMatch(/^eddy; hit;/);
    }
    const validated = await view(`${edge.url}/a.mp4`, { headers: { [field]: etag, 'cache-control': 'no-cache' } });
    expect(validated.headers['cache-status']).toMatch(/^eddy; fwd=request; fwd-status=304;/);
    expect(origin.ranges('/a.mp4')).toEqual(['bytes=0-9', undefined]);
  },
);

describe('why a request went on (RFC 9211 section 2.2)', () => {
  const length = 600_000;
  const fields = { 'Cache-Control': 'max-age=10' };
  const last = { range: `bytes=${length - 10}-` };
  const policy = { staleIfErrorSeconds: 0 };
  let nowMs = 0;
  let routes: Record<string, OriginResource>;

  async function start(): Promise<void> {
    nowMs = Date.now();
    routes = { '/a.mp4': { length, fields } };
    origin = await startOrigin(routes);
    edge = await startEdge({
      origins: [origin.url],
      policy,
      now: () => nowMs,
      onFinished: (each) => records.push(each),
    });
    await view(`${edge.url}/a.mp4`, { headers: { range: 'bytes=0-9' } });
  }

  const statusOf = async (headers: Record<string, string>): Promise<string> =>
    String((await view(`${edge.url}/a.mp4`, { headers })).headers['cache-status']);

  it('is that what is stored was stale, be it that its validation succeeds, or that bytes of it are missing too', async () => {
    await start();
    nowMs += 60_000;
    expect(await statusOf({ range: 'bytes=0-9' })).toMatch(/^eddy; fwd=stale; fwd-status=304;/);
    nowMs += 60_000;
    expect(await statusOf(last)).toMatch(/^eddy; fwd=stale; fwd-status=304;/);
  });

  it('is the same where that fails', async () => {
    await start();
    nowMs += 60_000;
    await origin.close();
    for (const headers of [{ range: 'bytes=0-9' }, last]) expect(await statusOf(headers)).toBe('eddy; fwd=stale');
    expect(records.at(-1)).toMatchObject({ status: 502, fwd: 'stale' });
    origin = await startOrigin({});
  });

  it('is what the request says, or that a part is stored, also where the origin fails', async () => {
    await start();
    expect(await statusOf({ range: 'bytes=0-9', 'cache-control': 'no-cache' })).toMatch(/^eddy; fwd=request;/);
    expect(await statusOf(last)).toMatch(/^eddy; fwd=partial;/);
    await origin.close();
    expect(await statusOf({ range: 'bytes=0-9', 'cache-control': 'no-cache' })).toBe('eddy; fwd=request');
    expect(await statusOf({ range: 'bytes=300000-300009' })).toBe('eddy; fwd=partial');
    origin = await startOrigin({});
  });

  it('is that a part is stored, where the origin has another version by now', async () => {
    await start();
    routes['/a.mp4'] = { length, fields, version: 2 };
    const { headers, body } = await view(`${edge.url}/a.mp4`, { headers: last });
    assertPattern(body, resourceSeed('/a.mp4', 2), length - 10);
    expect(headers['cache-status']).toMatch(/^eddy; fwd=partial;.* stored/);
  });
});
