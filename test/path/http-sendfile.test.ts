import { once } from 'node:events';
import { readSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Content } from '../../src/cache/types.ts';
import { headTails, LeanResponder } from '../../src/http/lean/lean-responder.ts';
import { type FileBacking, openSendfile } from '../../src/http/socket/file-writes.ts';
import { Arena, type Extent, type Resident } from '../../src/ram/arena.ts';
import { collectUntil } from '../support/collect.ts';
import { FakeContent, patternBytes } from '../support/fake-cache.ts';
import { bodies } from '../support/lean-viewers.ts';
import { exchange, RawConnection } from '../support/raw-http.ts';
import { openViewers, type TestViewers } from '../support/viewers.ts';

const mebibyte = 1024 * 1024;
const pieceLength = 256 * 1024;
let open: TestViewers | undefined;

afterEach(async () => {
  await open?.viewers.close();
  open = undefined;
});

class Piece implements Resident<Piece> {
  bytes: Buffer;
  extent: Extent<Piece> | undefined;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

function openArena(bytesMax: number): Arena<Piece> {
  const arena = Arena.open<Piece>(bytesMax);
  if (arena === undefined) throw new Error('the tests run where there is an arena');
  return arena;
}

/** Content in pieces, those that `admits` in the arena and the others beside it. */
class PieceContent extends FakeContent implements Content {
  readonly pieces: readonly Piece[];

  constructor(bytes: Buffer, { arena, admits = () => true }: { arena: Arena<Piece>; admits?: (i: number) => boolean }) {
    super(bytes);
    const count = Math.ceil(bytes.length / pieceLength);
    this.pieces = Array.from({ length: count }, (_, i) => {
      const piece = new Piece(bytes.subarray(i * pieceLength, (i + 1) * pieceLength));
      if (admits(i)) arena.admit(piece);
      return piece;
    });
  }

  override peek(first: number, last: number): readonly Buffer[] {
    const buffers: Buffer[] = [];
    for (const [i, { bytes }] of this.pieces.entries()) {
      const [from, to] = [Math.max(0, first - i * pieceLength), Math.min(bytes.length, last + 1 - i * pieceLength)];
      if (from < to) buffers.push(bytes.subarray(from, to));
    }
    return buffers;
  }
}

/** A listener that sends from an arena, and how often it did. */
async function start(limits = {}): Promise<TestViewers & { arena: Arena<Piece>; sends: () => number }> {
  const arena = openArena(32 * mebibyte);
  let sends = 0;
  const backing: FileBacking = {
    offsetOf: (bytes) => arena.offsetOf(bytes),
    get fd() {
      sends += 1;
      return arena.fd;
    },
  };
  open = await openViewers({ limits, backing });
  open.cache.store('/small', new FakeContent(Buffer.from('small')));
  return { ...open, arena, sends: () => sends };
}

const get = (path: string, field = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${field}\r\n`;
const bytes = patternBytes(6 * mebibyte + 12_345);

describe('an answer from the arena', () => {
  it.each<[string, (i: number) => boolean]>([
    ['is all there', () => true],
    ['is there in part', (i) => i % 3 !== 1],
    ['is there but for its beginning', (i) => i > 0],
  ])('arrives as it is when it %s', async (_name, admits) => {
    const { url, cache, arena, sends, nextRecord } = await start();
    cache.store('/large', new PieceContent(bytes, { arena, admits }));
    const record = nextRecord();
    const response = await exchange(url, get('/large'));
    expect([response.whole, response.body.equals(bytes)]).toEqual([true, true]);
    expect(sends()).toBeGreaterThan(0);
    expect(await record).toMatchObject({ status: 200, bytes: bytes.length, complete: true });
  });

  it.each([
    [0, 300_000],
    [pieceLength - 1, 3 * pieceLength],
    [pieceLength, 2 * pieceLength - 1],
    [1_000_001, 5_999_999],
    [3 * mebibyte + 17, bytes.length - 1],
  ])('arrives as it is from byte %i to %i', async (first, last) => {
    const { url, cache, arena, sends } = await start();
    cache.store('/large', new PieceContent(bytes, { arena }));
    const response = await exchange(url, get('/large', `Range: bytes=${first}-${last}\r\n`));
    expect([response.status, response.body.equals(bytes.subarray(first, last + 1))]).toEqual([206, true]);
    expect(sends()).toBeGreaterThan(0);
  });

  it('arrives as it is in several ranges', async () => {
    const { url, cache, arena, sends } = await start();
    cache.store('/large', new PieceContent(bytes, { arena }), { fields: { 'Content-Type': 'video/mp4' } });
    const ranges = 'Range: bytes=5-700000,1000000-1000009,2000000-4000000\r\n';
    const { status, body, fields } = await exchange(url, get('/large', ranges));
    const boundary = /boundary=(\S+)/.exec(fields.get('content-type') ?? '')?.[1];
    const parts = body.toString('latin1').split(`--${boundary}`).slice(1, -1);
    const contents = parts.map((part) => part.slice(part.indexOf('\r\n\r\n') + 4, -2));
    const expected = [
      [5, 700_001],
      [1_000_000, 1_000_010],
      [2_000_000, 4_000_001],
    ].map(([first, end]) => bytes.toString('latin1', first, end));
    expect([status, contents.length, contents.every((content, i) => content === expected[i])]).toEqual([206, 3, true]);
    expect(sends()).toBeGreaterThan(0);
  });

  it('has no content for HEAD', async () => {
    const { url, cache, arena, sends } = await start();
    cache.store('/large', new PieceContent(bytes, { arena }));
    const response = await exchange(url, 'HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n', 'HEAD');
    expect([response.fields.get('content-length'), response.body.length]).toEqual([String(bytes.length), 0]);
    expect(sends()).toBe(0);
  });

  it('keeps its place among pipelined requests', async () => {
    const { url, cache, arena } = await start();
    cache.store('/large', new PieceContent(bytes, { arena }));
    cache.store('/middle', new PieceContent(bytes.subarray(0, 200_000), { arena }));
    const connection = await RawConnection.open(url);
    connection.send(['/large', '/small', '/middle', '/middle', '/large', '/small'].map((path) => get(path)).join(''));
    const lengths = (await bodies(connection, 6)).map((body) => body?.length);
    expect(lengths.filter((length) => length === 5).length).toBe(2);
    connection.send(['/middle', '/large', '/small'].map((path) => get(path)).join(''));
    const [middle, large, small] = [
      await connection.response(),
      await connection.response(),
      await connection.response(),
    ];
    expect([middle?.body.equals(bytes.subarray(0, 200_000)), large?.body.equals(bytes)]).toEqual([true, true]);
    expect(small?.body.toString()).toBe('small');
    connection.destroy();
  });

  it('ends its connection when it is to', async () => {
    const { url, cache, arena } = await start();
    cache.store('/large', new PieceContent(bytes, { arena }));
    const connection = await RawConnection.open(url);
    connection.send(get('/large', 'Connection: close\r\n'));
    expect((await connection.response())?.body.equals(bytes)).toBe(true);
    await connection.closed();
  });

  it('is the same for many at once, fast ones and slow ones, and for those who ask again', async () => {
    const { url, cache, arena } = await start();
    const some = bytes.subarray(0, 3_000_000);
    cache.store('/large', new PieceContent(some, { arena }));
    const viewers = Array.from({ length: 9 }, async (_, i) => {
      const connection = await RawConnection.open(url);
      for (let round = 0; round < 3; round++) {
        connection.send(get('/large'));
        if (i % 3 === 0) {
          connection.socket.pause();
          await new Promise((resolve) => setTimeout(resolve, 20));
          connection.socket.resume();
        }
        if ((await connection.response())?.body.equals(some) !== true) return false;
      }
      connection.destroy();
      return true;
    });
    expect(await Promise.all(viewers)).toEqual(viewers.map(() => true));
  });
});

describe('a viewer of the arena', () => {
  it('that leaves in the middle leaves nothing behind', async () => {
    const { url, cache, arena, viewers, nextRecord } = await start();
    const large = new PieceContent(bytes, { arena });
    cache.store('/large', large);
    for (const reset of [true, false]) {
      const connection = await RawConnection.open(url);
      connection.socket.pause();
      const record = nextRecord();
      connection.send(get('/large').repeat(3));
      connection.socket.once('readable', () => (reset ? connection.socket.resetAndDestroy() : connection.destroy()));
      expect(await record).toMatchObject({ status: 200, complete: false });
    }
    await expect.poll(() => viewers.connections()).toBe(0);
    expect((await exchange(url, get('/large'))).body.equals(bytes)).toBe(true);
  });

  it('that takes nothing is cut off, and one that takes little is not', async () => {
    const { url, cache, arena, nextRecord } = await start({ stallTimeoutMs: 1000 });
    cache.store('/large', new PieceContent(patternBytes(16 * mebibyte), { arena }));
    const stalled = await RawConnection.open(url);
    stalled.socket.pause();
    stalled.send(get('/large'));
    expect(await nextRecord()).toMatchObject({ status: 200, complete: false });
    stalled.destroy();
    const record = nextRecord();
    expect(await takenInSteps(url, { steps: 6, stepMs: 300 })).toBe(true);
    expect(await record).toMatchObject({ status: 200, complete: true });
  });

  it('is answered to the end by a node that drains', async () => {
    const { url, cache, arena, viewers } = await start({ drainGraceMs: 50 });
    cache.store('/large', new PieceContent(bytes, { arena }));
    const connection = await RawConnection.open(url);
    connection.socket.pause();
    connection.send(get('/large'));
    await once(connection.socket, 'readable');
    const drained = viewers.drain(10_000);
    connection.socket.resume();
    expect((await connection.response())?.body.equals(bytes)).toBe(true);
    await drained;
  });
});

it('what was sent stays as it was, however often its memory is used again', async () => {
  const arena = openArena(2 * mebibyte);
  const sendfile = openSendfile(arena);
  const [sender, receiver] = await pairOfSockets();
  receiver.pause();
  const old = patternBytes(pieceLength);
  let sent = 0;
  (() => {
    const piece = new Piece(old);
    arena.admit(piece);
    const place = arena.offsetOf(piece.bytes) ?? -1;
    const { fd } = (sender as unknown as { _handle: { fd: number } })._handle;
    sent = sendfile?.send(fd, place, old.length) ?? 0;
    arena.leave(piece);
    fillUp(arena, 0);
  })();
  for (let value = 1; value <= 100; value++) await collectUntil(() => fillUp(arena, value) > 0);
  sender.end();
  receiver.resume();
  const received: Buffer[] = [];
  for await (const chunk of receiver) received.push(chunk as Buffer);
  // All of it, unless sockets have taken what the machine has for them.
  expect(sent).toBeGreaterThan(0);
  expect(Buffer.concat(received).equals(old.subarray(0, sent))).toBe(true);
});

it('comes behind what was written before and the kernel has not taken yet', async () => {
  const arena = openArena(2 * mebibyte);
  const [sender, receiver] = await pairOfSockets();
  const received: Buffer[] = [];
  receiver.on('data', (chunk: Buffer) => received.push(chunk)).pause();
  const responder = new LeanResponder(sender, {
    ...{ tails: headTails(5000), draining: () => false, onSent: () => {} },
    sendfile: openSendfile(arena),
  });
  const small = Buffer.alloc(60_000, 1);
  const piece = new Piece(Buffer.alloc(pieceLength, 2));
  arena.admit(piece);
  const sent: Buffer[] = [];
  let waiting: Promise<void> | undefined;
  while (!responder.waits) {
    waiting = responder.write([small]);
    sent.push(small);
  }
  // There is room in the socket before node can know of it.
  received.push(...readNow(receiver, (sent.length - 1) * small.length));
  receiver.resume();
  await waiting;
  sent.push(piece.bytes);
  await responder.write([piece.bytes]);
  sender.end();
  await once(receiver, 'end');
  expect(Buffer.concat(received).equals(Buffer.concat(sent))).toBe(true);
});

/** Takes so many bytes, which are there, past the stream. */
function readNow(socket: Socket, bytes: number): Buffer[] {
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  const taken: Buffer[] = [];
  for (let rest = bytes; rest > 0; ) {
    const chunk = Buffer.alloc(Math.min(rest, mebibyte));
    const length = readSync(fd, chunk);
    taken.push(chunk.subarray(0, length));
    rest -= length;
  }
  return taken;
}

/** Puts pieces into the arena until it takes none, and lets go of them. How many it took. */
function fillUp(arena: Arena<Piece>, value: number): number {
  for (let taken = 0; ; taken++) {
    const piece = new Piece(Buffer.alloc(pieceLength, value));
    arena.admit(piece);
    if (piece.extent === undefined) return taken;
    arena.leave(piece);
  }
}

async function pairOfSockets(): Promise<readonly [Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const receiver = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [sender] = (await once(server, 'connection')) as [Socket];
  server.close();
  return [sender, receiver];
}

/** Takes all of `/large` in steps with pauses between them. */
async function takenInSteps(url: string, { steps, stepMs }: { steps: number; stepMs: number }): Promise<boolean> {
  const connection = await RawConnection.open(url);
  connection.send(get('/large'));
  let [taken, next] = [0, 2 * mebibyte];
  connection.socket.on('data', (chunk: Buffer) => {
    taken += chunk.length;
    if (taken < next) return;
    next += (16 / steps) * mebibyte;
    connection.socket.pause();
    setTimeout(() => connection.socket.resume(), stepMs);
  });
  const response = await connection.response();
  connection.destroy();
  return response?.body.equals(patternBytes(16 * mebibyte)) === true;
}
