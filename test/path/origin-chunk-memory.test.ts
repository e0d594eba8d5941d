import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import type { Supply } from '../../src/cache/supply.ts';
import { freeChunk } from '../../src/origin/chunk-memory.ts';
import { patternBytes } from '../support/origin.ts';
import { ask, kept, supplierFor } from '../support/origin-supplier.ts';
import { startRawOrigin } from '../support/raw-origin.ts';

const bytes = patternBytes('chunk-memory', 0, 700_000);
const head = 'HTTP/1.1 200 OK\r\nETag: "1"\r\n';

/** Head and content in one write. */
const sized = (content: Buffer) => [Buffer.from(`${head}Content-Length: ${content.length}\r\n\r\n`), content];

/** So many bytes to a chunk, several of them in what is read at once, and a field after the last. */
const chunked = (content: Buffer, length: number) => {
  const parts: Buffer[] = [Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`)];
  for (let at = 0; at < content.length; at += length) {
    const chunk = content.subarray(at, at + length);
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
  }
  return [...parts, Buffer.from('0\r\nX-After: yes\r\n\r\n')];
};

/** Answers the requests of all connections one after the other. */
async function startOrigin(answers: Buffer[][]) {
  let answered = 0;
  return kept(
    await startRawOrigin((socket: Socket, text: string) => {
      if (text.endsWith('\r\n\r\n')) socket.write(Buffer.concat(answers[answered++ % answers.length] ?? []));
    }),
  );
}

/** Copies each chunk, as a flight does, and says so. `freed`: whose memory was gone then. */
async function copyAll({ body, onTaken }: Supply): Promise<{ copy: Buffer; freed: number }> {
  const copies: Buffer[] = [];
  let freed = 0;
  for await (const chunk of body) {
    copies.push(Buffer.from(chunk));
    onTaken?.(chunk);
    if (chunk.length === 0) freed++;
  }
  return { copy: Buffer.concat(copies), freed };
}

test.each([
  { name: 'a body of many reads', content: bytes, parts: sized(bytes) },
  {
    name: 'a body that comes with its head',
    content: bytes.subarray(0, 20_000),
    parts: sized(bytes.subarray(0, 20_000)),
  },
  { name: 'chunks smaller than a read', content: bytes, parts: chunked(bytes, 1000) },
  { name: 'chunks larger than a read', content: bytes, parts: chunked(bytes, 150_000) },
])('$name: every byte is right on one connection after the other, and memory is freed', async ({ content, parts }) => {
  const origin = await startOrigin([parts]);
  const supplier = kept(supplierFor({ upstreams: [origin.url], connectionsMax: 1 }));
  let freedChunks = 0;
  for (let i = 0; i < 5; i++) {
    const { copy, freed } = await copyAll(await ask(supplier, '/'));
    expect(copy.equals(content)).toBe(true);
    freedChunks += freed;
  }
  expect(freedChunks).toBeGreaterThan(0);
  expect(origin.sockets.length).toBeLessThanOrEqual(2);
});

test('what its reader has not taken stays as it is while others are read and break off on the same connections', async () => {
  const [slow, fast] = [bytes.subarray(0, 300_000), bytes.subarray(300_000)];
  const origin = await startOrigin([sized(slow), sized(fast), chunked(fast, 5000)]);
  const supplier = kept(supplierFor({ upstreams: [origin.url], connectionsMax: 1 }));
  const held: Buffer[] = [];
  for await (const chunk of (await ask(supplier, '/')).body) held.push(chunk);
  expect((await copyAll(await ask(supplier, '/'))).copy.equals(fast)).toBe(true);
  const broken = await ask(supplier, '/');
  for await (const chunk of broken.body) {
    broken.onTaken?.(chunk);
    break;
  }
  await copyAll(await ask(supplier, '/'));
  expect(Buffer.concat(held).equals(slow)).toBe(true);
});

test('a chunk is freed for all who have a view of it, if it ends what was read', () => {
  const read = Buffer.from(new ArrayBuffer(1000));
  const [before, chunk] = [read.subarray(0, 300), read.subarray(300)];
  freeChunk(before);
  expect([before.length, chunk.length]).toEqual([300, 700]);
  freeChunk(chunk);
  expect([before.length, chunk.length, read.length]).toEqual([0, 0, 0]);
});

test('memory that is not of one read alone stays', () => {
  const pool = Buffer.from(new ArrayBuffer(Buffer.poolSize));
  freeChunk(pool.subarray(100));
  const shared = Buffer.from(new SharedArrayBuffer(1000));
  freeChunk(shared);
  expect([pool.length, shared.length]).toEqual([Buffer.poolSize, 1000]);
  const empty = Buffer.alloc(0);
  freeChunk(empty);
  expect((empty.buffer as ArrayBuffer).detached).toBe(false);
});
