import { Agent, request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseContentRange } from '../../src/semantics/content-range.ts';
import { type Edge, startEdge } from '../support/edge.ts';
import { fuzzCount, fuzzSeed } from '../support/fuzz.ts';
import { answerTo, hostileAnswer } from '../support/hostile-answers.ts';
import { patternBytes } from '../support/pattern.ts';
import { type RawOrigin, startRawOrigin } from '../support/raw-origin.ts';

const cases = fuzzCount(500);
const bytesMax = 200_000;
const agent = new Agent({ keepAlive: true, maxSockets: 4 });
let origin: RawOrigin;
const edges: Edge[] = [];
const faults: string[] = [];
let answers: readonly (typeof hostileAnswer extends fc.Arbitrary<infer Value> ? Value : never)[] = [];
let asked = 0;
let number = 0;

beforeAll(async () => {
  const read = new WeakMap<object, number>();
  origin = await startRawOrigin((socket, text) => {
    // One answer to each header section, whatever comes of its content.
    const heads = text.split('\r\n\r\n').filter((each) => /^[A-Z]+ \S+ HTTP/m.test(each));
    for (let at = read.get(socket) ?? 0; at < heads.length; at++) {
      read.set(socket, at + 1);
      const choices = answers[asked++ % answers.length];
      if (choices === undefined) return;
      const { bytes, ends } = answerTo(/^range: *(.*)$/im.exec(heads[at] ?? '')?.[1], `${number}`, choices);
      socket.write(bytes);
      if (ends) socket.end();
    }
  });
  const fault = (about: object, message: string) => {
    if (!/upstream is|breaks off/.test(message)) faults.push(`${message}: ${JSON.stringify(about)}`);
  };
  for (const relays of [0, 1])
    edges.push(
      await startEdge({
        origins: [origin.url],
        origin: { firstByteTimeoutMs: 150, idleTimeoutMs: 150, attemptsMax: 2 },
        ramBytes: 16 * 1024 * 1024,
        relays,
        log: { info: () => {}, debug: () => {}, warn: () => {}, error: fault },
      }),
    );
});
afterAll(async () => {
  agent.destroy();
  await Promise.all(edges.map((edge) => edge.close()));
  await origin.close();
});

const viewerFields = fc.record(
  {
    Range: fc.constantFrom(
      ...['bytes=0-0', 'bytes=5-', 'bytes=-3', 'bytes=0-99999999999999999999', 'bytes=899-900', 'bytes=1-2,5-6'],
      ...['bytes=300000-300010', 'bytes=999999999999000-999999999999998', 'bytes=4503599627370496-4503599627370499'],
    ),
    'If-Range': fc.constantFrom('"a"', 'W/"a"', 'Sun, 22 Nov 2026 10:00:00 GMT', 'x'),
    'If-None-Match': fc.constantFrom('*', '"a"', 'W/"a", "b"', '"'),
    'Cache-Control': fc.constantFrom(
      'no-cache',
      'max-age=0',
      'min-fresh=99999999999999999999',
      'only-if-cached',
      'max-stale=-1',
    ),
    'Accept-Encoding': fc.constantFrom('gzip', 'br;q=9e9', '*;q=', ''),
    Expect: fc.constant('100-continue'),
  },
  { requiredKeys: [] },
);
const asking = fc.record({
  method: fc.oneof({ weight: 9, arbitrary: fc.constant('GET') }, fc.constantFrom('HEAD', 'POST', 'PUT', 'OPTIONS')),
  headers: viewerFields,
  leaves: fc.option(fc.nat(20), { nil: undefined, freq: 8 }),
});
type Asking = typeof asking extends fc.Arbitrary<infer Value> ? Value : never;

interface Seen {
  readonly status: number;
  readonly range: string | undefined;
  readonly coding: string | undefined;
  readonly body: Buffer;
}

/** Undefined: no answer came. */
function ask(edge: Edge, { method, headers, leaves }: Asking): Promise<Seen | undefined> {
  const hasBody = method === 'POST' || method === 'PUT';
  return new Promise((resolve) => {
    const outgoing = request(
      `${edge.url}/o/${number}`,
      { method, agent, headers: { ...headers, ...(hasBody && { 'Transfer-Encoding': 'chunked' }) } },
      (response) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        response.on('data', (part: Buffer) => {
          parts.push(part);
          bytes += part.length;
          // An origin may say that there is more than anybody lives to see.
          if (bytes > bytesMax) outgoing.destroy();
        });
        const over = (): void => {
          const { statusCode: status = 0, headers: fields } = response;
          const [range, coding] = [fields['content-range'], fields['content-encoding']];
          resolve({ status, range, coding, body: Buffer.concat(parts) });
        };
        // What came before it was cut off is right too.
        response.on('error', over);
        response.on('end', over);
      },
    );
    outgoing.on('error', () => resolve(undefined));
    outgoing.setTimeout(20_000, () => outgoing.destroy(new Error('no answer')));
    if (leaves !== undefined) setTimeout(() => outgoing.destroy(), leaves);
    if (hasBody) outgoing.write('some of the content, ');
    // The rest of it comes when the origin may have answered already.
    if (hasBody) setTimeout(() => outgoing.end('and the rest'), 5);
    else outgoing.end();
  });
}

/** Wherever an answer says that its bytes belong, they are the origin's. */
function expectRight(seen: Seen | undefined, { method }: Asking): void {
  if (seen === undefined) return;
  const { status, range, body, coding } = seen;
  if (method !== 'GET' || coding !== undefined || (status !== 200 && status !== 206)) return;
  const span = status === 206 ? parseContentRange(range) : { first: 0 };
  if (span === undefined) return;
  if (span.first < 1e15 && (status === 200 || body.length > 0))
    expect(body.equals(patternBytes(`${number}`, span.first, body.length)), `${status} ${range}`).toBe(true);
}

it(`whatever an origin answers, viewers get its bytes where they belong, or an error: ${cases}, seed ${fuzzSeed}`, {
  timeout: 300_000,
}, async () => {
  let [whole, partial] = [0, 0];
  await fc.assert(
    fc.asyncProperty(
      fc.array(hostileAnswer, { minLength: 1, maxLength: 3 }),
      fc.array(fc.array(asking, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 }),
      async (given, rounds) => {
        number++;
        [answers, asked] = [given, 0];
        const edge = edges[number % edges.length] as Edge;
        for (const round of rounds) {
          const seen = await Promise.all(round.map((each) => ask(edge, each)));
          for (const [i, each] of seen.entries()) {
            expectRight(each, round[i] as Asking);
            if (each?.status === 200) whole++;
            if (each?.status === 206) partial++;
          }
        }
        expect(faults).toEqual([]);
      },
    ),
    { seed: fuzzSeed, numRuns: cases },
  );
  expect(whole).toBeGreaterThan(cases / 10);
  expect(partial).toBeGreaterThan(cases / 50);
});
