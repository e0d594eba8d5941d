import { afterEach, describe, expect, it } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { startOrigin, type TestOrigin } from '../support/origin.ts';
import { ask, kept, supplierFor } from '../support/origin-supplier.ts';
import { view } from '../support/viewer.ts';

let origin: TestOrigin;
let edge: Edge | undefined;

afterEach(async () => {
  await edge?.close();
  edge = undefined;
});

/** An origin that refers everybody who asks for anything to what `reference` says, by its own URL. */
async function referring(reference: (url: string) => string, { name = 'Location', status = 302 } = {}): Promise<void> {
  origin = kept(
    await startOrigin(
      (_, response) =>
        void response.writeHead(status, { [name]: reference(origin.url), 'Cache-Control': 'max-age=60' }).end(),
    ),
  );
}

describe('a reference of the origin', () => {
  it.each<[string, (url: string) => string, string]>([
    ['to itself leads through the edge', (url) => `${url}/media/b.m3u8?t=1#x`, '/vod/b.m3u8?t=1#x'],
    ['to itself without scheme does too', (url) => `${url.slice('http:'.length)}/media/b.m3u8`, '/vod/b.m3u8'],
    ['by a path does too', () => '/media/sub/b.m3u8', '/vod/sub/b.m3u8'],
    ['to the path of another map does too', (url) => `${url}/live/c.mpd`, '/live-at-edge/c.mpd'],
    ['by another name of its own does too', () => 'https://video.example/media/b.m3u8', '/vod/b.m3u8'],
    ['that means the same at the edge stays as it is', () => 'b.m3u8', 'b.m3u8'],
    [
      'that leads to a path of two slashes names no host',
      (url) => `${url}/other//evil.example/x`,
      '/.//evil.example/x',
    ],
    ['by a path that no map has is that of the origin', (url) => `${url}/none`, 'ORIGIN/none'],
    ['by a relative path that no map has is that of the origin', () => '/none', 'ORIGIN/none'],
    [
      'to another host stays as it is',
      () => 'https://elsewhere.example/media/b.m3u8',
      'https://elsewhere.example/media/b.m3u8',
    ],
    ['that is none stays as it is', () => 'http://[::', 'http://[::'],
  ])('%s', async (_name, reference, expected) => {
    for (const [name, status] of [
      ['Location', 302],
      ['Content-Location', 200],
    ] as const) {
      await referring(reference, { name, status });
      const common = { upstreams: [`${origin.url}/media`], hostField: 'video.example' };
      const maps = [
        { name: 'm', prefix: '/vod', ...common },
        { name: 'live', prefix: '/live-at-edge', upstreams: [`${origin.url}/live/`] },
        { name: 'other', prefix: '/', upstreams: [`${origin.url}/other`] },
      ];
      const supplier = kept(supplierFor({}, { maps }));
      const { fields } = await ask(supplier, '/vod/a.m3u8');
      expect(fields.get(name)).toBe(expected.replace('ORIGIN', origin.url));
    }
  });

  it('keeps a player at the edge, from the cache too', async () => {
    await referring((url) => `${url}/b.ts`, { status: 301 });
    edge = await startEdge({ origins: [origin.url] });
    for (let i = 0; i < 2; i++) expect((await view(`${edge.url}/a.ts`)).headers.location).toBe('/b.ts');
    expect(origin.count()).toBe(1);
  });

  it('in the answer to an unsafe request invalidates what it leads to (RFC 9111 section 4.4)', async () => {
    origin = kept(
      await startOrigin(({ method }, response) => {
        const fields = method === 'POST' ? { Location: `${origin.url}/b` } : { 'Cache-Control': 'max-age=60' };
        response.writeHead(method === 'POST' ? 201 : 200, fields).end('x');
      }),
    );
    edge = await startEdge({ origins: [origin.url] });
    await view(`${edge.url}/b`);
    await view(`${edge.url}/a`, { method: 'POST' });
    expect((await view(`${edge.url}/b`)).headers['cache-status']).not.toContain('hit');
  });
});
