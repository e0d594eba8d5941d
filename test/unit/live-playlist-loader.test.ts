import { expect, it, vi } from 'vitest';
import { Fields } from '../../src/fields.ts';
import { PlaylistLoader } from '../../src/live/channels/playlist-loader.ts';
import type { PlaylistRequest } from '../../src/live/message/playlist-request.ts';
import { ManualClock } from '../support/live/clock.ts';

it('takes a playlist that cannot be read for one that did not come, and logs why', () => {
  const log = { info: vi.fn(), warn: vi.fn() };
  const fault = new Error('a fault');
  const live = { mirror: true, follow: [], offerBlockingReload: false, prefetchSegments: 0 };
  const map = { name: 'm', prefix: '/', origins: ['http://origin.example'], live };
  const loader = new PlaylistLoader({
    inner: { answer: () => Promise.reject(fault) },
    log,
    clock: new ManualClock(0),
    maps: () => [map],
    onServed: () => {},
    keyOf: ({ target }: { target: string }) => target,
    namedBy: () => ({ keys: [] }),
    offsetOf: () => {
      throw fault;
    },
  } as unknown as ConstructorParameters<typeof PlaylistLoader>[0]);
  const asked = { target: '/a.m3u8', map, key: '/a.m3u8', directives: undefined } as unknown as PlaylistRequest;
  const received = (first: number) => {
    const text = `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:${first}\n#EXTINF:2,\na.ts\n#EXT-X-RENDITION-REPORT:URI="b.m3u8",LAST-MSN=1\n`;
    return { bytes: Buffer.from(text), fields: new Fields([]), atMs: 0, learntMs: 0 };
  };
  const manifest = loader.parse(received(7).bytes, asked);
  if (manifest === undefined) throw new Error('the playlist is understood');
  const before = loader.version(manifest, received(7), asked);
  const came = loader.read(received(1), { asked, before });
  if (came.kind !== 'version') throw new Error(`a version, not ${came.kind}`);
  expect(came.anew?.(1_000)).toBeUndefined();
  expect(log.warn).toHaveBeenCalledWith({ err: fault, target: '/a.m3u8' }, expect.any(String));
});
