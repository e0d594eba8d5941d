import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { resourceBytes, startOrigin, type TestOrigin } from '../support/origin.ts';
import { type Viewed, view } from '../support/viewer.ts';

const [path, length] = ['/clip.mp4', 1_000];
const whole = resourceBytes(path, { first: 0, length });
let origin: TestOrigin;
let edge: Edge;

afterEach(async () => {
  await edge.close();
  await origin.close();
});

type Fields = Record<string, string>;

/** An origin that answers every request with a 206 of these fields and the first 100 bytes, unless `otherwise` answers. */
async function start(fields: Fields, otherwise?: (request: IncomingMessage, response: ServerResponse) => boolean) {
  origin = await startOrigin((request, response) => {
    if (otherwise?.(request, response) === true) return;
    response.writeHead(206, { 'Cache-Control': 'max-age=60', ...fields }).end(whole.subarray(0, 100));
  });
  edge = await startEdge({ origins: [origin.url] });
}

const get = (headers: Fields = {}): Promise<Viewed> => view(edge.url + path, { headers });
const part = { 'Content-Range': `bytes 0-99/${length}` };

describe('a 206 that nobody asked for (RFC 9110 15.3.7)', () => {
  it('is completed where its validator is strong, and the viewer gets the whole', async () => {
    await start({ ...part, ETag: '"a"' }, ({ headers: { range } }, response) => {
      const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
      if (first === undefined) return false;
      const end = last === '' ? length - 1 : Math.min(Number(last), length - 1);
      const fields = { 'Content-Range': `bytes ${first}-${end}/${length}`, ETag: '"a"' };
      response.writeHead(206, fields).end(whole.subarray(Number(first), end + 1));
      return true;
    });
    for (const hit of [false, true]) {
      const { status, body, headers } = await get();
      expect([status, body.equals(whole), headers['content-range']]).toEqual([200, true, undefined]);
      expect(/; hit/.test(String(headers['cache-status']))).toBe(hit);
    }
    expect(origin.ranges(path)).toEqual([undefined, 'bytes=100-']);
  });

  it.each<[string, Fields]>([
    ['without a strong validator', part],
    ['that may not be stored', { ...part, 'Cache-Control': 'no-store', ETag: '"a"' }],
    ['of unknown length', { 'Content-Range': 'bytes 0-99/*', ETag: '"a"' }],
    ['without Content-Range', { ETag: '"a"' }],
    ['in several parts', { 'Content-Type': 'multipart/byteranges; boundary=x' }],
  ])('%s is an error of the origin, and kept by nobody', async (_name, fields) => {
    await start(fields);
    for (let i = 0; i < 2; i++) expect((await get()).status).toBe(502);
    expect(origin.count()).toBe(2);
  });
});

describe('a 206 for a range', () => {
  it.each<[string, Fields]>([
    ['no Content-Range', {}],
    ['one of another unit', { 'Content-Range': 'lines 0-99/1000' }],
    ['one that ends before it begins', { 'Content-Range': 'bytes 99-0/1000' }],
    ['one that ends behind the end', { 'Content-Range': 'bytes 0-99/50' }],
  ])('with %s is an error of the origin (RFC 9110 14.4)', async (_name, fields) => {
    await start({ ...fields, ETag: '"a"' });
    expect((await get({ Range: 'bytes=0-99' })).status).toBe(502);
  });

  it('of what nobody may store is passed on when it says what it is', async () => {
    await start({ 'Content-Range': 'bytes 0-99/*', 'Cache-Control': 'no-store' });
    const { status, body, headers } = await get({ Range: 'bytes=0-99' });
    expect([status, headers['content-range'], body.length]).toEqual([206, 'bytes 0-99/*', 100]);
  });

  it('in several parts is passed on to who asked for several', async () => {
    const type = 'multipart/byteranges; boundary=x';
    await start({ 'Content-Type': type, 'Cache-Control': 'no-store' });
    const { status, body, headers } = await get({ Range: 'bytes=0-9,20-29' });
    expect([status, headers['content-type'], body.length]).toEqual([206, type, 100]);
  });
});
