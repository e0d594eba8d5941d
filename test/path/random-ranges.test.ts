import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { expect, test } from 'vitest';
import { startEdge } from '../support/edge.ts';
import { fuzzSeed } from '../support/fuzz.ts';
import { resourceBytes, startOrigin } from '../support/origin.ts';
import { seededRandom } from '../support/random.ts';
import { removeTree } from '../support/remove-tree.ts';

const mebibyte = 1024 * 1024;
const requests = 100_000;
const connections = 32;
/** A whole body is given up at a range far ahead of it: what the sockets between held then was sent for nothing. */
const givenUpBytesMax = 3 * mebibyte;

const files = [
  { path: '/small.m4s', length: 70_001 },
  { path: '/segment.ts', length: 700_000 },
  { path: '/one.mp4', length: 3 * mebibyte + 17 },
  { path: '/two.mp4', length: 9 * mebibyte - 1 },
].map((file) => ({ ...file, bytes: resourceBytes(file.path, { first: 0, length: file.length }) }));

type File = (typeof files)[number];
interface Asked {
  readonly range: string | undefined;
  /** What must come, in order; undefined for 416. */
  readonly spans: readonly (readonly [first: number, last: number])[] | undefined;
}

test(`${requests} random ranges, cold, warm and after a restart, give the right bytes (seed ${fuzzSeed})`, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'eddy-ranges-'));
  const origin = await startOrigin(Object.fromEntries(files.map(({ path, length }) => [path, { length }])));
  const random = seededRandom(fuzzSeed);
  try {
    // The RAM tier is smaller than the files together, so that all three sources take part.
    for (let half = 0; half < 2; half++) {
      const edge = await startEdge({
        origins: [origin.url],
        directory,
        ramBytes: 6 * mebibyte,
        diskBytes: 128 * mebibyte,
      });
      const pool = new Pool(edge.url, { connections, pipelining: 1 });
      await inParallel(requests / 2, () => askOnce(pool, random));
      expect(edge.served.ram).toBeGreaterThan(0);
      expect(edge.served.disk).toBeGreaterThan(0);
      await pool.close();
      await edge.close();
    }
    const total = files.reduce((sum, { length }) => sum + length, 0);
    expect(origin.sent()).toBeLessThanOrEqual(total * 1.02 + givenUpBytesMax);
  } finally {
    await origin.close();
    await removeTree(directory);
  }
}, 240_000);

async function inParallel(count: number, run: () => Promise<void>): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await run();
  };
  await Promise.all(Array.from({ length: connections }, worker));
}

async function askOnce(pool: Pool, random: () => number): Promise<void> {
  const file = files[Math.floor(random() * files.length)] as File;
  const { range, spans } = askedOf(file, random);
  const headers = range === undefined ? {} : { range };
  const response = await pool.request({ method: 'GET', path: file.path, headers });
  const body = Buffer.from(await response.body.arrayBuffer());
  const about = `${file.path} ${range}`;
  if (spans === undefined) return expect(response.statusCode, about).toBe(416);
  const [only] = spans;
  if (response.statusCode === 200) return expectBytes(body, file.bytes, about);
  expect(response.statusCode, about).toBe(206);
  const type = String(response.headers['content-type']);
  if (!type.startsWith('multipart/')) {
    const [first, last] = only as readonly [number, number];
    const given = contentRange(String(response.headers['content-range']));
    // Ranges that overlap are given as one.
    if (!range?.includes(',')) expect(given, about).toEqual([first, last, file.length]);
    return expectBytes(body, file.bytes.subarray(given[0], (given[1] ?? 0) + 1), about);
  }
  for (const part of partsOf(body, type))
    expectBytes(part.bytes, file.bytes.subarray(part.first, part.last + 1), about);
}

function contentRange(value: string): readonly (number | undefined)[] {
  return /^bytes (\d+)-(\d+)\/(\d+)$/.exec(value)?.slice(1).map(Number) ?? [];
}

function expectBytes(actual: Buffer, expected: Buffer, about: string): void {
  if (!actual.equals(expected)) expect.fail(`${about}: ${actual.length} bytes differ from ${expected.length} expected`);
}

/** Every form of range; seldom large ones, for whole files are most of the bytes even so. */
function askedOf({ length }: File, random: () => number): Asked {
  const form = random();
  const first = Math.floor(random() * length);
  const size = Math.floor(random() ** 3 * 200_000);
  const last = first + size;
  const span = [first, Math.min(last, length - 1)] as const;
  if (form < 0.6) return { range: `bytes=${first}-${last}`, spans: [span] };
  if (form < 0.7) return { range: `bytes=-${size + 1}`, spans: [[Math.max(0, length - size - 1), length - 1]] };
  if (form < 0.8) {
    const from = length - 1 - Math.min(size, length - 1);
    return { range: `bytes=${from}-`, spans: [[from, length - 1]] };
  }
  if (form < 0.82) return { range: `bytes=${length + size}-`, spans: undefined };
  if (form < 0.822) return { range: undefined, spans: [[0, length - 1]] };
  if (form < 0.826) return { range: `bytes=${last + 1}-${first}`, spans: [[0, length - 1]] };
  const other = Math.floor(random() * length);
  return { range: `bytes=${first}-${first + 999}, ${other}-${other + 9_999},-5`, spans: [span] };
}

interface Part {
  readonly first: number;
  readonly last: number;
  readonly bytes: Buffer;
}

function partsOf(body: Buffer, contentType: string): Part[] {
  const boundary = /boundary="?([^";]+)/.exec(contentType)?.[1] ?? '';
  const parts: Part[] = [];
  let at = body.indexOf(`--${boundary}`);
  for (;;) {
    const headEnd = body.indexOf('\r\n\r\n', at);
    if (headEnd < 0) return parts;
    const range = /content-range: bytes (\d+)-(\d+)\//i.exec(body.subarray(at, headEnd).toString('latin1'));
    const [first, last] = [Number(range?.[1]), Number(range?.[2])];
    const bytes = body.subarray(headEnd + 4, headEnd + 4 + last - first + 1);
    parts.push({ first, last, bytes });
    at = headEnd + 4 + bytes.length;
  }
}
