import { Agent } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseMpd } from '../../src/live/dash/mpd.ts';
import { type Edge, startEdge } from '../support/edge.ts';
import { fuzzCount, fuzzSeed } from '../support/fuzz.ts';
import { HandClock } from '../support/hand-clock.ts';
import { contradictoryMpd } from '../support/mpd-inputs.ts';
import { startOrigin, type TestOrigin } from '../support/origin.ts';
import { view } from '../support/viewer.ts';

const count = fuzzCount(600);
/** A new edge now and then, so that the mirror, which follows a bounded number, takes part in every case. */
const perEdge = 400;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
let origin: TestOrigin;
let trap: TestOrigin;
let edge: Edge;
let clock: HandClock;
let current = '';

beforeAll(async () => {
  origin = await startOrigin((request, response) => {
    const isMpd = /\.mpd(\?|$)/.test(request.url ?? '');
    const type = isMpd ? 'application/dash+xml' : 'video/mp4';
    response.writeHead(200, { 'Content-Type': type }).end(isMpd ? current : 'media');
  });
  trap = await startOrigin((_, response) => response.writeHead(200).end('trapped'));
  await openEdge();
});

afterAll(async () => {
  agent.destroy();
  await edge?.close();
  await Promise.all([origin?.close(), trap?.close()]);
});

async function openEdge(): Promise<void> {
  await edge?.close();
  clock = new HandClock();
  const prefetch = { bytesMax: 1_000_000, requestsMax: 4 };
  edge = await startEdge({ origins: [origin.url], liveClock: clock, prefetch, ramBytes: 16 * 1024 * 1024 });
}

/** What a player would ask for, of hosts that lead to the edge and of none. */
const played = ['a/1.m4s', 'a/2.m4s', '1', '2', 'x/1', 'a/$Number$'];

test(`contradictory MPDs lead nobody elsewhere, and are given as they are but for URLs: seed ${fuzzSeed}`, {
  timeout: 300_000,
}, async () => {
  let [rewritten, followed, passed] = [0, 0, 0];
  for (let number = 0; number < count; number++) {
    if (number % perEdge === perEdge - 1) await openEdge();
    current = broken(contradictoryMpd(fuzzSeed + number), number)
      .replaceAll('https://origin.example', origin.url)
      .replaceAll('//other.example', `//127.0.0.1:${trap.port}`)
      .replaceAll('http://127.0.0.1:22', trap.url);
    const { status, body } = await view(`${edge.url}/f/${number}.mpd`, { agent });
    expect(status).toBe(200);
    expect(withoutValues(body.toString())).toBe(withoutValues(current));
    // What nobody understands is passed on to the byte.
    const bytes = Buffer.from(current);
    if (parseMpd(bytes, { url: `${origin.url}/f/${number}.mpd`, nowMs: () => clock.nowMs() }) === undefined) {
      expect(body.equals(bytes)).toBe(true);
      passed += 1;
    }
    // The host of the origin is in what cannot be rewritten only: what a player fills in, or what is no http URL.
    if (body.toString() !== current) rewritten += 1;
    if (number % 10 === 0) {
      for (const path of played) await view(`${edge.url}/f/${path}`, { agent });
      clock.turn(10_000);
      followed += edge.live.streams().length;
    }
  }
  expect(trap.count()).toBe(0);
  expect(rewritten).toBeGreaterThan(count / 20);
  expect(followed).toBeGreaterThan(0);
  expect(passed).toBeGreaterThan(count / 20);
});

/** Every fifth is cut, every other fifth has a piece of itself where it does not belong. */
function broken(text: string, number: number): string {
  const at = (number * 7_919) % Math.max(1, text.length);
  if (number % 5 === 1) return text.slice(0, at);
  return number % 5 === 3 ? text.slice(0, at) + text.slice(at / 2, at / 2 + 40) + text.slice(at) : text;
}

function withoutValues(text: string): string {
  return text.replaceAll(/"[^"]*"|>[^<]*</g, '');
}
