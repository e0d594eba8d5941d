import { afterEach, describe, expect, it } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { type OriginResource, resourceBytes, startOrigin, type TestOrigin } from '../support/origin.ts';
import { type Viewed, view } from '../support/viewer.ts';

const [path, length] = ['/clip.mp4', 100_000];
const whole = resourceBytes(path, { version: 1, first: 0, length });
let origin: TestOrigin;
let edge: Edge;

afterEach(async () => {
  await edge.close();
  await origin.close();
});

async function start(about: Partial<OriginResource> = {}): Promise<void> {
  origin = await startOrigin({ [path]: { length, fields: { 'Cache-Control': 'no-store' }, ...about } });
  edge = await startEdge({ origins: [origin.url] });
}

const get = (headers: Record<string, string>): Promise<Viewed> => view(edge.url + path, { headers });

describe('a range of what nobody may store', () => {
  it('of another version than If-Range names is the whole (RFC 9110 13.1.5)', async () => {
    await start();
    for (const Range of ['bytes=10-19', 'bytes=10-', 'bytes=-5', 'bytes=200000-', 'bytes=200000-300000']) {
      const { status, body } = await get({ Range, 'If-Range': '"of-old"' });
      expect({ Range, status, whole: body.equals(whole) }).toEqual({ Range, status: 200, whole: true });
    }
  });

  it('is given under the If-Range that it has', async () => {
    await start();
    const etag = (await get({})).headers.etag ?? '';
    const { status, body } = await get({ Range: 'bytes=10-19', 'If-Range': etag });
    expect(status).toBe(206);
    expect(body.equals(whole.subarray(10, 20))).toBe(true);
  });

  it('is not satisfiable when it begins behind the end, and the origin was asked once', async () => {
    await start();
    const { status, headers } = await get({ Range: 'bytes=200000-' });
    expect({ status, range: headers['content-range'] }).toEqual({ status: 416, range: `bytes */${length}` });
    expect(origin.count()).toBe(1);
  });
});

it.each(['bytes=200000-300000,0-4', 'bytes=200000-,0-4', 'bytes=-0,0-4'])(
  'of %s only what is there is given, also when nothing is stored yet (RFC 9110 14.2)',
  async (Range) => {
    await start({ fields: { 'Cache-Control': 'max-age=60' } });
    const { status, headers, body } = await get({ Range });
    expect({ status, range: headers['content-range'] }).toEqual({ status: 206, range: `bytes 0-4/${length}` });
    expect(body.equals(whole.subarray(0, 5))).toBe(true);
  },
);
