import { createHash, randomUUID } from 'node:crypto';
import { multiaddr } from '@multiformats/multiaddr';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { EddyError } from '../../src/errors.ts';
import type { Log } from '../../src/log.ts';
import type { PeerAnswer } from '../../src/peers/answer/source.ts';
import { openCell } from '../../src/peers/cell/cell-key.ts';
import { encodeCredential, issueCredential } from '../../src/peers/cell/credential.ts';
import { passingIdentity } from '../../src/peers/cell/identity.ts';
import { sliceBytes } from '../../src/peers/integrity/manifest.ts';
import type { PeerReport } from '../../src/peers/members/member.ts';
import { startHost } from '../../src/peers/transport/host.ts';
import { encodeFrame } from '../../src/peers/wire/frames.ts';
import { encodeJson } from '../../src/peers/wire/messages.ts';
import { patternBytes } from '../support/pattern.ts';
import { cellKeyHex, plainHost, quietLog } from '../support/peer-options.ts';
import { answerOf, bytesOf, get, PushedBody, streamed, TestCell, type TestNode } from '../support/peers.ts';
import { seededRandom } from '../support/random.ts';
import { soon } from '../support/until.ts';

const cell = new TestCell();
const never = new AbortController().signal;

afterEach(() => cell.close());

async function two(): Promise<[TestNode, TestNode]> {
  const [a, b] = await cell.of(2);
  if (a === undefined || b === undefined) throw new Error('no nodes');
  return [a, b];
}

describe('a cell', () => {
  it('finds itself from one address', async () => {
    const nodes = await cell.of(4);
    const ids = new Set(nodes.map(({ plane }) => plane.peerId));
    for (const { plane } of nodes) {
      const peers = plane.peers();
      expect(new Set([plane.peerId, ...peers.map(({ peerId }) => peerId)])).toEqual(ids);
      for (const peer of peers) expect(peer).toMatchObject({ state: 'up', bytesIn: 0, bytesOut: 0, hitShare: 0 });
    }
    await soon(() => expect(nodes.every(({ plane }) => plane.peers().every(({ rttMs }) => rttMs !== null))).toBe(true));
  });

  it('tells an announcement to every member, and no more of them than is in order', async () => {
    const heard: string[] = [];
    const onAnnounced = (peerId: string, topic: string, message: Buffer) =>
      heard.push(`${peerId} ${topic} ${message.toString()}`);
    const [a] = await cell.of(3, { onAnnounced });
    if (a === undefined) throw new Error('no nodes');
    expect(a.plane.announce('live/playlist', Buffer.from('version 7'))).toBe(true);
    const expected = `${a.plane.peerId} live/playlist version 7`;
    await soon(() => expect(heard).toEqual([expected, expected]));
    expect(() => a.plane.announce('no topic', Buffer.alloc(0))).toThrow(RangeError);
    expect(() => a.plane.announce('large', Buffer.alloc(16 * 1024 + 1))).toThrow(RangeError);
    const sent = Array.from({ length: 300 }, () => a.plane.announce('flood', Buffer.alloc(0)));
    expect(sent.filter((each) => each).length).toBeLessThan(150);
  });

  it('agrees on who is responsible for a key', async () => {
    const nodes = await cell.of(3);
    for (const key of ['m /a', 'm /b', 'm /c', 'm /d']) {
      const owners = nodes.map(({ plane }) => {
        const owner = plane.ownerOf(key);
        return owner === 'self' ? plane.peerId : owner;
      });
      expect(new Set(owners).size).toBe(1);
      expect(nodes.filter(({ plane }) => plane.ownerOf(key) === 'self')).toHaveLength(1);
    }
  });

  it('waits for an owner that says it waits too, far longer than for one that is silent', async () => {
    const [a, b] = await two();
    const bytes = Buffer.from('the next version');
    b.source.answer = async () => {
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      return answerOf(bytes);
    };
    expect(await bytesOf(await a.plane.supplier.supply(cell.requestFor(1), { signal: never }))).toEqual(bytes);
    expect(a.outcomes).toEqual(['out pending']);
  });

  it('finds itself on the LAN', async () => {
    // A name of its own, for others on the LAN may run this test too.
    const lan = { mdns: true, bootstrap: [], cell: { name: `lan ${randomUUID()}`, keyHex: cellKeyHex } };
    await cell.start(lan);
    await cell.start(lan);
    await cell.met(1);
  });

  it('settles when everybody dials everybody', async () => {
    for (let i = 0; i < 4; i++) await cell.start({ bootstrap: cell.nodes.flatMap(({ plane }) => plane.addresses) });
    await cell.met(3);
    const bytes = Buffer.from('settled');
    for (const { source } of cell.nodes) source.answer = async () => answerOf(bytes);
    const supplier = cell.nodes[0]?.plane.supplier;
    for (const owner of [1, 2, 3])
      expect(await bytesOf(await supplier?.supply(cell.requestFor(owner), { signal: never }))).toEqual(bytes);
  });

  it('dials a member that it knows several addresses of by one at a time', async () => {
    const b = await cell.start({ listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0'] });
    const states: unknown[] = [];
    const log: Log = {
      ...quietLog,
      info: (about, message) => message.includes('changed its state') && states.push((about as PeerReport).state),
      debug: (_, message) => states.push(message),
    };
    const { addresses } = b.plane;
    await cell.start({ bootstrap: addresses, log });
    await cell.met(1);
    expect(addresses).toHaveLength(2);
    expect(states).toEqual(['up']);
  });

  it('works over stock tcp and tls too', async () => {
    const [a, b] = await cell.of(2, { transport: 'stock' });
    const bytes = patternBytes('stock', 0, 300_000);
    if (a === undefined || b === undefined) throw new Error('no nodes');
    b.source.answer = async () => answerOf(bytes);
    expect((await bytesOf(await a.plane.supplier.supply(cell.requestFor(1), { signal: never }))).equals(bytes)).toBe(
      true,
    );
  });

  it('has no place for a node with another key', async () => {
    const member = await cell.start();
    const stranger = await cell.start({ cell: { name: 'test', keyHex: '00'.repeat(32) } });
    await soon(() => expect(stranger.plane.peers()).toEqual([]));
    const other = await cell.start();
    await soon(() => expect(member.plane.peers()).toMatchObject([{ state: 'up', peerId: other.plane.peerId }]));
    expect(stranger.plane.peers()).toEqual([]);
    expect(await stranger.plane.supplier.supply(get('/a'), { signal: never })).toBeUndefined();
  });

  it('cuts off who speaks without proof, and does not let it in again', async () => {
    const member = await cell.start();
    const { privateKey } = await passingIdentity();
    const stranger = await startHost({
      privateKey,
      listen: [],
      transport: 'direct',
      mdnsTag: undefined,
      ...plainHost(),
    });
    try {
      const address = multiaddr(member.plane.addresses[0] ?? '');
      const connection = await stranger.dial(address);
      const closed = new Promise((resolve) => connection.addEventListener('close', resolve));
      const stream = await connection.newStream(['/eddy/control/2']);
      stream.send(encodeFrame('request', Buffer.from('{}')));
      await closed;
      const again = await stranger.dial(address, { force: true }).catch(() => undefined);
      if (again?.status === 'open') await new Promise((resolve) => again.addEventListener('close', resolve));
      expect(member.plane.peers()).toEqual([]);
      expect(member.source.requests).toEqual([]);
    } finally {
      await stranger.stop();
    }
  });

  it('refuses an expired credential, whoever dials', async () => {
    const lines: string[] = [];
    const log: Log = { ...quietLog, info: (about, message) => lines.push(`${message}: ${JSON.stringify(about)}`) };
    const identity = await passingIdentity();
    const own = await openCell('test', cellKeyHex);
    const expired = await issueCredential(own, { peerId: identity.peerId, expiresMs: Date.now() - 6 * 60_000 });
    const credential = encodeCredential(expired).toString('base64');
    const hello = encodeFrame('hello', encodeJson({ cell: own.tag, credential, weight: 1 }));
    const listen = ['/ip4/127.0.0.1/tcp/0'];
    const stranger = await startHost({ ...identity, listen, transport: 'direct', mdnsTag: undefined, ...plainHost() });
    try {
      let dialled = 0;
      await stranger.handle('/eddy/control/2', (stream) => {
        dialled++;
        stream.send(hello);
      });
      const dialling = await cell.start({ log, bootstrap: stranger.getMultiaddrs().map(String) });
      await soon(() => expect(lines.join()).toContain('a credential that does not count: expired'));
      expect(dialled).toBe(1);
      expect(dialling.plane.peers()).toEqual([]);

      lines.length = 0;
      const dialledTo = await cell.start({ log, bootstrap: [] });
      const connection = await stranger.dial(multiaddr(dialledTo.plane.addresses[0] ?? ''));
      const closed = new Promise((resolve) => connection.addEventListener('close', resolve));
      const stream = await connection.newStream(['/eddy/control/2']);
      const told = vi.fn();
      stream.addEventListener('message', told);
      stream.send(hello);
      await closed;
      expect(lines.join()).toContain('a credential that does not count: expired');
      expect(told).not.toHaveBeenCalled();
      expect(dialledTo.plane.peers()).toEqual([]);
    } finally {
      await stranger.stop();
    }
  });

  it('goes without a member of another version of the protocol, and says so once', async () => {
    const lines: string[] = [];
    const log: Log = { ...quietLog, warn: (about, message) => lines.push(`${message}: ${JSON.stringify(about)}`) };
    const identity = await passingIdentity();
    const listen = ['/ip4/127.0.0.1/tcp/0'];
    const older = await startHost({ ...identity, listen, transport: 'direct', mdnsTag: undefined, ...plainHost() });
    try {
      let dialled = 0;
      older.addEventListener('connection:open', () => dialled++);
      await older.handle('/eddy/control/1', () => {});
      const newer = await cell.start({ log, bootstrap: older.getMultiaddrs().map(String) });
      await soon(() => expect(dialled).toBeGreaterThan(1));
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain('another version of the protocol, not /eddy/control/2');
      expect(lines[0]).toContain(identity.peerId);
      expect(newer.plane.peers()).toEqual([]);
      expect(await newer.plane.supplier.supply(get('/a'), { signal: never })).toBeUndefined();

      const connection = await older.dial(multiaddr(newer.plane.addresses[0] ?? ''));
      await expect(connection.newStream(['/eddy/control/1'])).rejects.toThrow();
      expect(newer.plane.peers()).toEqual([]);
    } finally {
      await older.stop();
    }
  });

  it('cuts off a member that sends what is no protocol, and goes on', async () => {
    const [a] = await cell.of(3);
    if (a === undefined) throw new Error('no nodes');
    const identity = await passingIdentity();
    const own = await openCell('test', cellKeyHex);
    const credential = await issueCredential(own, { peerId: identity.peerId, expiresMs: Date.now() + 60_000 });
    const rogue = await startHost({ ...identity, listen: [], transport: 'direct', mdnsTag: undefined, ...plainHost() });
    try {
      const random = seededRandom(4);
      for (let round = 0; round < 20; round++) {
        const connection = await rogue.dial(multiaddr(a.plane.addresses[0] ?? ''), { force: true });
        const closed = new Promise((resolve) => connection.addEventListener('close', resolve));
        const stream = await connection.newStream(['/eddy/control/2']);
        const credentials = encodeCredential(credential).toString('base64');
        stream.send(encodeFrame('hello', encodeJson({ cell: own.tag, credential: credentials, weight: 1 })));
        const garbage = Buffer.from(Array.from({ length: 100 }, () => Math.floor(random() * 256)));
        if (round % 2 === 0) stream.send(encodeFrame('request', garbage));
        else stream.send(garbage);
        await closed;
      }
      await soon(() => expect(a.plane.peers().filter(({ state }) => state === 'up')).toHaveLength(2));
    } finally {
      await rogue.stop();
    }
  });

  it('meets again after a member left and came back', async () => {
    const [a, b] = await two();
    await b.plane.close();
    await soon(() => expect(a.plane.peers()).toMatchObject([{ state: 'suspect' }]));
    expect(await a.plane.supplier.supply(cell.requestFor(1), { signal: never })).toBeUndefined();
    cell.nodes.splice(1, 1);
    await cell.start();
    await soon(() => expect(a.plane.peers().filter(({ state }) => state === 'up')).toHaveLength(1));
  });
});

describe('a request to the responsible peer', () => {
  it('brings status, fields and the right bytes', async () => {
    const [a, b] = await two();
    const bytes = patternBytes('whole', 0, 3_000_001);
    const digest = createHash('sha256').update(bytes).digest('base64');
    b.source.answer = async () => answerOf(bytes, { 'repr-digest': `sha-256=:${digest}:`, age: '3' });
    const request = cell.requestFor(1);
    const supply = await a.plane.supplier.supply(request, { signal: never });
    expect(supply).toMatchObject({ source: 'peer', status: 200 });
    expect(supply?.fields.get('age')).toBe('3');
    expect((await bytesOf(supply)).equals(bytes)).toBe(true);
    expect(b.source.requests).toMatchObject([{ peerId: a.plane.peerId, target: request.target, map: 'm' }]);
    expect(a.bytes.in).toBe(bytes.length);
    expect(b.bytes.out).toBe(bytes.length);
    expect(a.outcomes).toEqual(['out have']);
    await soon(() => expect(b.outcomes).toEqual(['in have']));
    expect(a.plane.peers()).toMatchObject([{ bytesIn: bytes.length, hitShare: 1 }]);
  });

  it('is not made for what this node is responsible for', async () => {
    const [a, b] = await two();
    expect(await a.plane.supplier.supply(cell.requestFor(0), { signal: never })).toBeUndefined();
    expect(b.source.requests).toEqual([]);
  });

  it('goes to a peer that holds what its owner lost', async () => {
    const [a, b] = await two();
    const request = cell.requestFor(0);
    b.source.answer = async () => answerOf(Buffer.from('held'));
    b.plane.holds(`m ${request.target}`, 0, true);
    await soon(async () => expect(await a.plane.supplier.supply(request, { signal: never })).toBeDefined());
  });

  it('streams while the peer itself still waits', async () => {
    const [a, b] = await two();
    const body = new PushedBody();
    const head = Promise.withResolvers<void>();
    b.source.answer = async () => {
      await head.promise;
      return streamed(body);
    };
    const supplying = a.plane.supplier.supply(cell.requestFor(1), { signal: never });
    await soon(() => expect(b.source.requests).toHaveLength(1));
    head.resolve();
    const iterator = (await supplying)?.body[Symbol.asyncIterator]();
    for (const part of ['first', 'second']) {
      body.push(Buffer.from(part));
      expect(String((await iterator?.next())?.value)).toBe(part);
    }
    body.push(undefined);
    expect(await iterator?.next()).toEqual({ done: true, value: undefined });
  });

  it('waits for a head as long as the peer says that it is coming', async () => {
    const [a, b] = await two();
    const delayMs = 1_200;
    b.source.answer = async () => {
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      return answerOf(Buffer.from('late'));
    };
    expect(String(await bytesOf(await a.plane.supplier.supply(cell.requestFor(1), { signal: never })))).toBe('late');
    expect(a.outcomes).toEqual(['out pending']);
  });

  it('gives up its body when the reader does, and when it is aborted', async () => {
    const [a, b] = await two();
    for (const end of ['return', 'abort']) {
      const body = new PushedBody();
      b.source.answer = async () => streamed(body);
      const controller = new AbortController();
      const supply = await a.plane.supplier.supply(cell.requestFor(1), { signal: controller.signal });
      body.push(Buffer.from('x'));
      if (end === 'return') await supply?.body[Symbol.asyncIterator]().return?.();
      else controller.abort();
      body.push(Buffer.from('y'));
      await soon(() => expect(body.returned).toBe(true));
    }
  });

  it('keeps to the credit while nobody reads', async () => {
    const [a, b] = await two();
    const bytes = patternBytes('credit', 0, 8_000_000);
    b.source.answer = async () => answerOf(bytes);
    const supply = await a.plane.supplier.supply(cell.requestFor(1), { signal: never });
    await soon(() => expect(b.bytes.out).toBeGreaterThan(1_900_000));
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(b.bytes.out).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect((await bytesOf(supply)).equals(bytes)).toBe(true);
  });
});

describe('what a peer cannot give', () => {
  it('comes from the next responsible one', async () => {
    const [a, b, c] = await cell.of(3);
    if (a === undefined || b === undefined || c === undefined) throw new Error('no nodes');
    c.source.answer = async () => answerOf(Buffer.from('second'));
    const request = cell.requestFor(1, 2, 0);
    expect(String(await bytesOf(await a.plane.supplier.supply(request, { signal: never })))).toBe('second');
    expect(b.source.requests).toHaveLength(1);
    expect(a.outcomes).toEqual(['out miss', 'out have']);
  });

  it('is left to the origin: a miss, a failure, an error status', async () => {
    const [a, b] = await two();
    expect(await a.plane.supplier.supply(cell.requestFor(1), { signal: never })).toBeUndefined();
    b.source.answer = async () => Promise.reject(new Error('no origin'));
    expect(await a.plane.supplier.supply(cell.requestFor(1), { signal: never })).toBeUndefined();
    b.source.answer = async () => ({ ...answerOf(Buffer.from('oops')), status: 503 });
    expect(await a.plane.supplier.supply(cell.requestFor(1), { signal: never })).toBeUndefined();
  });

  it('breaks the body with an error of the peer side', async () => {
    const [a, b] = await two();
    const lost = Promise.withResolvers<never>();
    lost.promise.catch(() => {});
    b.source.answer = async () =>
      streamed(
        (async function* () {
          yield Buffer.from('some');
          yield await lost.promise;
        })(),
      );
    const supply = await a.plane.supplier.supply(cell.requestFor(1), { signal: never });
    lost.reject(new Error('lost the origin'));
    const error = await bytesOf(supply).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EddyError);
    expect(error).toMatchObject({ side: 'peer' });
    expect(a.outcomes).toEqual(['out broken']);
  });

  it('is signed by the node that fetched it, and given on with that by others', async () => {
    const nodes = await cell.of(3);
    const [a, b, c] = nodes;
    if (a === undefined || b === undefined || c === undefined) throw new Error('no nodes');
    const bytes = Buffer.from(patternBytes('manifest', 0, 2 * sliceBytes + 1_000));
    const pieces = [0, 1, 2].map((i) => bytes.subarray(i * sliceBytes, (i + 1) * sliceBytes));
    const give = (given: readonly Buffer[], fetchedHere: boolean): PeerAnswer => ({
      ...streamed(listed(given), { 'content-length': String(bytes.length) }),
      ...{ completeLength: bytes.length, buffersAreKept: true, fetchedHere, peek: () => given },
    });
    // b fetched it and gives it to c and a, who keep what b signed of it.
    b.source.answer = async () => give(pieces, true);
    const request = cell.requestFor(1, 2, 0);
    for (const { plane } of [c, a])
      expect((await bytesOf(await plane.supplier.supply(request, { signal: never }))).equals(bytes)).toBe(true);
    b.source.answer = async () => undefined;
    c.source.answer = async () => give(pieces, false);
    // What b signed reaches a by c: only so it has been checked before a byte of it was given.
    let given = 0;
    const supply = await a.plane.supplier.supply(request, { signal: never });
    for await (const part of supply?.body ?? []) {
      given += part.length;
      expect(given === bytes.length || given % sliceBytes === 0).toBe(true);
    }
    expect(given).toBe(bytes.length);
    // Bytes that b did not sign go without it: nobody is accused for what another signed.
    const other = [pieces[0] ?? bytes, Buffer.alloc(sliceBytes, 1), pieces[2] ?? bytes];
    c.source.answer = async () => give(other, false);
    const unsigned = await bytesOf(await a.plane.supplier.supply(request, { signal: never }));
    expect(unsigned.equals(Buffer.concat(other))).toBe(true);
    expect(a.corrupt).toEqual([]);
  });

  it('is checked against what the node that fetched it signed', async () => {
    const nodes = await cell.of(3);
    const [a, b, c] = nodes;
    if (a === undefined || b === undefined || c === undefined) throw new Error('no nodes');
    const right = [
      Buffer.from(patternBytes('right', 0, sliceBytes)),
      Buffer.from(patternBytes('right', sliceBytes, 1_000)),
    ];
    const wrong = right.map((bytes) => Buffer.from(bytes));
    (wrong[1] as Buffer).fill(0, 500, 501);
    const length = sliceBytes + 1_000;
    const give = (given: readonly Buffer[], fetchedHere: boolean): PeerAnswer => ({
      ...streamed(listed(given), { 'content-length': String(length) }),
      ...{ completeLength: length, buffersAreKept: true, fetchedHere, peek: () => right },
    });
    b.source.answer = async () => give(right, true);
    const request = cell.requestFor(1, 2, 0);
    await bytesOf(await c.plane.supplier.supply(request, { signal: never }));
    b.source.answer = async () => undefined;
    // What c looked at was right, and what it gives is not.
    c.source.answer = async () => give(wrong, false);
    const supply = await a.plane.supplier.supply(request, { signal: never });
    const given: Buffer[] = [];
    const reading = (async () => {
      for await (const part of supply?.body ?? []) given.push(part);
    })();
    await expect(reading).rejects.toMatchObject({ side: 'peer', failure: 'corrupt' });
    expect(Buffer.concat(given).equals(right[0] as Buffer)).toBe(true);
    expect(a.corrupt).toEqual([c.plane.peerId]);
  });

  it('is given up when it comes too slowly, and asked for again', async () => {
    const [a] = await cell.of(1);
    let bytesPerSecond = 20_000;
    const slow = await cell.start({ uploadBytesPerSecond: () => bytesPerSecond });
    await cell.met(1);
    const bytes = patternBytes('slow', 0, 1_000_000);
    slow.source.answer = async () => answerOf(bytes);
    const startMs = performance.now();
    const supply = await a?.plane.supplier.supply(cell.requestFor(1), { signal: never });
    await expect(bytesOf(supply)).rejects.toMatchObject({ side: 'peer', failure: 'timeout' });
    // All of it would take 50 s.
    expect(performance.now() - startMs).toBeLessThan(15_000);
    bytesPerSecond = Number.POSITIVE_INFINITY;
    const again = await a?.plane.supplier.supply(cell.requestFor(1), { signal: never });
    expect((await bytesOf(again)).equals(bytes)).toBe(true);
  });

  it('is not believed: wrong bytes quarantine the peer', async () => {
    const [a, b] = await two();
    const right = createHash('sha256').update('right').digest('base64');
    b.source.answer = async () => answerOf(Buffer.from('wrong'), { 'repr-digest': `sha-256=:${right}:` });
    const supply = await a.plane.supplier.supply(cell.requestFor(1), { signal: never });
    const given: Buffer[] = [];
    const reading = (async () => {
      for await (const bytes of supply?.body ?? []) given.push(bytes);
    })();
    await expect(reading).rejects.toMatchObject({ side: 'peer', failure: 'corrupt' });
    expect(given).toEqual([]);
    expect(a.corrupt).toEqual([b.plane.peerId]);
    expect(a.plane.peers()).toMatchObject([{ state: 'quarantined' }]);
    expect(await a.plane.supplier.supply(cell.requestFor(1), { signal: never })).toBeUndefined();
  });
});

describe('peers are never asked', () => {
  it('for what is private, nor given it', async () => {
    const [a, b] = await two();
    const request = cell.requestFor(1);
    const personal = [{ authorization: 'x' }, { cookie: 'x' }, { 'cache-control': 'no-store' }];
    for (const fields of personal)
      expect(
        await a.plane.supplier.supply({ ...request, fields: get('/', fields).fields }, { signal: never }),
      ).toBeUndefined();
    expect(await a.plane.supplier.supply({ ...request, method: 'POST' }, { signal: never })).toBeUndefined();
    expect(b.source.requests).toEqual([]);
    for (const directive of ['private', 'no-store', 'max-age=1, private="x"']) {
      b.source.answer = async () => answerOf(Buffer.from('secret'), { 'cache-control': directive });
      expect(await a.plane.supplier.supply(request, { signal: never })).toBeUndefined();
    }
    expect(a.bytes.in).toBe(0);
    expect(a.outcomes).toEqual(['out denied', 'out denied', 'out denied']);
  });

  it('with what does not fit in a message, nor given it', async () => {
    const [a, b] = await two();
    const request = cell.requestFor(1);
    const fields = get('/', { 'x-large': 'x'.repeat(70_000) }).fields;
    expect(await a.plane.supplier.supply({ ...request, fields }, { signal: never })).toBeUndefined();
    expect(b.source.requests).toEqual([]);
    b.source.answer = async () => answerOf(Buffer.from('x'), { 'x-large': 'x'.repeat(70_000) });
    expect(await a.plane.supplier.supply(request, { signal: never })).toBeUndefined();
    expect(a.plane.peers()).toMatchObject([{ state: 'up' }]);
  });

  it('in circles: two that take each other for the owner both go to the origin', async () => {
    const [a, b] = await two();
    const request = cell.requestFor(0);
    b.plane.holds(`m ${request.target}`, 0, true);
    const asks = (node: TestNode) => async () => {
      await node.plane.supplier.supply(request, { signal: never });
      return undefined;
    };
    a.source.answer = asks(a);
    b.source.answer = asks(b);
    await soon(async () => {
      expect(await a.plane.supplier.supply(request, { signal: never })).toBeUndefined();
      expect(b.source.requests.length).toBeGreaterThan(0);
    });
    const both = [a, b].map(({ plane }) => plane.supplier.supply(request, { signal: never }));
    expect(await Promise.all(both)).toEqual([undefined, undefined]);
    for (const { outcomes } of [a, b]) expect(outcomes).not.toContain('out timeout');
  });
});

async function* listed(buffers: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* buffers;
}
