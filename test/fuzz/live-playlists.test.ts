import { Agent } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { fuzzCount, fuzzSeed } from '../support/fuzz.ts';
import { HandClock } from '../support/hand-clock.ts';
import { hostilePlaylist } from '../support/live/hostile-playlists.ts';
import { startOrigin, type TestOrigin } from '../support/origin.ts';
import { view } from '../support/viewer.ts';

const cases = fuzzCount(10_000);
/** The mirror follows a bounded number; a new edge now and then lets it take part in every case. */
const casesPerEdge = 500;
/** What no case may take, however slow the machine: bounds that grow with the square of a size take minutes. */
const caseMsMax = 10_000;
const heapBytesMax = 150 * 1024 * 1024;

/** Through the whole path, from an origin that gives anything for a playlist to a viewer. */
describe('hostile playlists', () => {
  let origin: TestOrigin;
  let trap: TestOrigin;
  let edge: Edge;
  let clock: HandClock;
  let current: Buffer = Buffer.alloc(0);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });

  beforeAll(async () => {
    origin = await startOrigin((request, response) => {
      const isPlaylist = /^\/f\/\d+\.m3u8(\?|$)/.test(request.url ?? '');
      const body = isPlaylist ? current : Buffer.from('media');
      const type = isPlaylist ? 'application/vnd.apple.mpegurl' : 'video/mp4';
      response.writeHead(200, { 'Content-Type': type, 'Content-Length': body.length }).end(body);
    });
    trap = await startOrigin((_, response) => response.writeHead(200).end('trapped'));
    [edge, clock] = await openEdge();
  });
  afterAll(async () => {
    agent.destroy();
    await edge?.close();
    await Promise.all([origin?.close(), trap?.close()]);
  });

  const openEdge = async (): Promise<[Edge, HandClock]> => {
    const liveClock = new HandClock();
    const opened = await startEdge({ origins: [origin.url], liveClock, ramBytes: 16 * 1024 * 1024 });
    return [opened, liveClock];
  };

  it(`are passed on or rewritten, within bounds, and never followed elsewhere: ${cases} cases`, {
    timeout: 300_000,
  }, async () => {
    let number = 0;
    let slowestMs = 0;
    let [rewritten, followed] = [0, 0];
    let heapAtFirst = 0;
    const targets = { origin: origin.url, trap: trap.url };
    await fc.assert(
      fc.asyncProperty(hostilePlaylist(targets), fc.constantFrom('', 'gzip', 'br'), async (bytes, coding) => {
        if (++number % casesPerEdge === 0) {
          await edge.close();
          [edge, clock] = await openEdge();
          if (heapAtFirst === 0) heapAtFirst = usedHeap();
        }
        current = bytes;
        const started = performance.now();
        const url = `${edge.url}/f/${number}.m3u8`;
        const headers = coding === '' ? {} : { 'Accept-Encoding': coding };
        // The second time, now and then, what is known by then answers.
        for (let i = 0; i < (number % 4 === 0 ? 2 : 1); i++) {
          const { status, headers: fields, body } = await view(url, { headers, agent });
          expect(status).toBe(200);
          const seen = decoded(body, fields['content-encoding']);
          expectSameOrRewritten(bytes, seen, targets);
          if (!seen.equals(bytes)) rewritten++;
        }
        slowestMs = Math.max(slowestMs, performance.now() - started);
        // It is asked for again now and then, with what was announced around it.
        if (number % 10 === 0) {
          followed += edge.live
            .streams()
            .filter((each) => 'url' in each && String(each.url).includes(`/${number}.m3u8`)).length;
          clock.turn(2_500);
        }
      }),
      { seed: fuzzSeed, numRuns: cases },
    );
    await edge.close();
    [edge, clock] = await openEdge();
    expect(trap.requests).toEqual([]);
    // Otherwise the cases would say nothing of the mirror.
    expect(rewritten).toBeGreaterThan(cases / 20);
    expect(followed).toBeGreaterThan(cases / 10 / 10);
    expect(slowestMs).toBeLessThan(caseMsMax);
    expect(usedHeap() - heapAtFirst).toBeLessThan(heapBytesMax);
  });
});

/** Each line is as it was, or it named what is mapped and names nothing of another host now that it did not name before. */
function expectSameOrRewritten(before: Buffer, after: Buffer, { origin }: { origin: string }): void {
  if (after.equals(before)) return;
  const [old, lines] = [before, after].map((bytes) => bytes.toString('latin1').split('\n'));
  expect(lines).toHaveLength(old?.length ?? 0);
  for (const [i, line] of (lines ?? []).entries()) {
    const was = old?.[i] ?? '';
    if (line === was) continue;
    expect(was, 'a line without a reference that could be mapped').toMatch(/[/?]|\.\./);
    for (const host of hostsOf(line)) expect([origin, ...hostsOf(was)], line).toContain(host);
  }
}

const hostsOf = (line: string): string[] => line.match(/\b[a-z]+:\/\/[^/"\s?#]*/gi) ?? [];

function decoded(body: Buffer, coding: string | undefined): Buffer {
  if (coding === 'gzip') return gunzipSync(body);
  return coding === 'br' ? brotliDecompressSync(body) : body;
}

/** After a collection. */
function usedHeap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
