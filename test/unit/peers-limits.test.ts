import { createHash } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { CircuitBreaker } from '../../src/circuit-breaker.ts';
import { Fields } from '../../src/fields.ts';
import { isLatePeerError } from '../../src/node/process/late-errors.ts';
import { UploadBudget } from '../../src/peers/answer/upload-budget.ts';
import { isUseful } from '../../src/peers/ask/wanted.ts';
import { blake3 } from '../../src/peers/blake3.ts';
import { Audit } from '../../src/peers/integrity/audit.ts';
import { sliceBytes } from '../../src/peers/integrity/manifest.ts';
import { BodyCheck } from '../../src/peers/integrity/verify.ts';
import { ProgressFloor } from '../../src/peers/link/progress.ts';
import { AnswerTimeout } from '../../src/peers/members/answer-timeout.ts';
import { Member } from '../../src/peers/members/member.ts';
import { Members } from '../../src/peers/members/members.ts';
import { Refusals } from '../../src/peers/mesh/refusals.ts';
import { mayAskPeers, mayGivePeers } from '../../src/peers/shareable.ts';
import { get } from '../support/peers.ts';
import { soon } from '../support/until.ts';

let nowMs = 1_000_000;
const clock = () => nowMs;

describe('a circuit breaker', () => {
  it('opens after three failures in a row, for longer each time, and closes by itself', () => {
    const breaker = new CircuitBreaker({ nowMs: clock, openMsMax: 60_000 });
    const fail = () => {
      breaker.asked();
      breaker.failed();
    };
    fail();
    fail();
    breaker.succeeded();
    fail();
    fail();
    expect(breaker.allows).toBe(true);
    fail();
    for (const openMs of [1_000, 2_000, 4_000]) {
      expect(breaker.allows).toBe(false);
      nowMs += openMs - 1;
      expect(breaker.allows).toBe(false);
      nowMs += 1;
      expect(breaker.allows).toBe(true);
      breaker.asked();
      expect(breaker.allows).toBe(false);
      breaker.failed();
    }
    nowMs += 60_000;
    breaker.asked();
    breaker.undecided();
    expect(breaker.allows).toBe(true);
    breaker.asked();
    breaker.succeeded();
    expect(breaker.allows).toBe(true);
  });

  it('opens for a second, however many requests fail with one connection', () => {
    const breaker = new CircuitBreaker({ nowMs: clock, openMsMax: 60_000 });
    for (let i = 0; i < 32; i++) breaker.asked();
    for (let i = 0; i < 32; i++) breaker.failed();
    expect(breaker.allows).toBe(false);
    nowMs += 1_000;
    expect(breaker.allows).toBe(true);
  });
});

describe('the time allowed for an answer', () => {
  it('is short with who answers at once, and grows with what it and all others take', () => {
    const all = new AnswerTimeout();
    const [quick, slow] = [new AnswerTimeout(all), new AnswerTimeout(all)];
    expect(quick.allowedMs(0)).toBe(1000);
    for (let i = 0; i < 50; i++) quick.heard(5);
    expect(quick.allowedMs(0)).toBe(300);
    expect(quick.allowedMs(30)).toBe(390);
    expect(quick.slack(0)).toBe(1);
    for (let i = 0; i < 50; i++) slow.heard(700);
    expect(slow.allowedMs(0)).toBeGreaterThan(690);
    expect(quick.allowedMs(0)).toBeGreaterThan(690);
    expect(quick.slack(0)).toBeGreaterThan(2);
    for (let i = 0; i < 50; i++) slow.missed(slow.allowedMs(0) * 2);
    expect(slow.allowedMs(0)).toBe(2_000);
  });
});

describe('a progress floor', () => {
  const floor = (bytesPerSecond?: number) => new ProgressFloor({ nowMs, bytesPerSecond, silenceMsMax: 10_000 });
  const isLateAt = (progress: ProgressFloor, rate: number): number | undefined => {
    const startMs = nowMs;
    while (nowMs < startMs + 4_000) {
      nowMs += 100;
      progress.bytes(rate / 10, nowMs);
      if (progress.isLate(nowMs)) return nowMs - startMs;
    }
    return undefined;
  };

  it('is met by a peer that does what it did lately', () => {
    expect(isLateAt(floor(500_000), 500_000)).toBeUndefined();
    expect(isLateAt(floor(), 50_000)).toBeUndefined();
  });

  it('is missed at 20 KB a second, and by a fast peer sooner', () => {
    expect(isLateAt(floor(), 20_000)).toBe(1_000);
    expect(isLateAt(floor(100_000_000), 100_000)).toBe(1_000);
    expect(isLateAt(floor(), 100_000)).toBeUndefined();
  });

  it('finds out a silent peer on a machine that is always late', () => {
    const progress = floor();
    const startMs = nowMs;
    do {
      nowMs += 200;
      progress.stalled(100);
    } while (!progress.isLate(nowMs) && nowMs < startMs + 20_000);
    expect(nowMs - startMs).toBe(2_000);
  });

  it('leaves a peer that is far too slow for a body of known length, whatever it says', () => {
    const trickle = (length: number | undefined): number | undefined => {
      const progress = floor();
      if (length !== undefined) progress.expect(length);
      const startMs = nowMs;
      while (nowMs < startMs + 4_000) {
        nowMs += 100;
        progress.bytes(2_000, nowMs);
        progress.waiting(progress.received, nowMs);
        if (progress.isLate(nowMs)) return nowMs - startMs;
      }
      return undefined;
    };
    expect(trickle(500_000)).toBe(1_000);
    expect(trickle(50_000)).toBeUndefined();
    expect(trickle(undefined)).toBeUndefined();
  });

  it('does not count the time in which the peer waits for its origin, while that is believable', () => {
    const progress = floor();
    progress.bytes(1_000, nowMs);
    for (let i = 0; i < 20; i++) {
      nowMs += 150;
      progress.waiting(1_000, nowMs);
      expect(progress.isLate(nowMs)).toBe(false);
    }
    nowMs += 150;
    progress.waiting(5_000, nowMs);
    nowMs += 1_400;
    expect(progress.isLate(nowMs)).toBe(true);
    const patient = floor();
    let lateAfterMs = 0;
    for (; lateAfterMs < 20_000 && !patient.isLate(nowMs); lateAfterMs += 100) {
      patient.waiting(0, nowMs);
      nowMs += 100;
    }
    expect(lateAfterMs).toBeGreaterThan(10_000);
    expect(lateAfterMs).toBeLessThan(10_300);
  });

  it('does not count the time until the peer ends a body that is all there, while that is believable', () => {
    const progress = floor();
    progress.expect(200_000);
    progress.bytes(200_000, nowMs);
    const startMs = nowMs;
    do nowMs += 100;
    while (!progress.isLate(nowMs) && nowMs < startMs + 20_000);
    expect(nowMs - startMs).toBe(10_100);
  });

  it('does not count the time in which nobody reads', () => {
    const progress = floor();
    for (let i = 0; i < 200; i++) {
      nowMs += 100;
      progress.held(nowMs);
      expect(progress.isLate(nowMs)).toBe(false);
    }
  });
});

describe('the upload budget', () => {
  it('lets a burst through and then keeps to the rate, which may change', async () => {
    vi.useFakeTimers({ now: 0 });
    try {
      let rate = 1_000_000;
      const budget = new UploadBudget({ bytesPerSecond: () => rate, nowMs: Date.now });
      const never = new AbortController().signal;
      let sent = 0;
      const sending = (async () => {
        while (sent < 3_000_000) {
          await budget.take(50_000, never);
          sent += 50_000;
        }
      })();
      await vi.advanceTimersByTimeAsync(1_000);
      expect(sent).toBeGreaterThan(1_100_000);
      expect(sent).toBeLessThan(1_400_000);
      const before = sent;
      rate = 100_000;
      await vi.advanceTimersByTimeAsync(2_000);
      expect(sent - before).toBeLessThan(350_000);
      rate = Number.POSITIVE_INFINITY;
      await vi.advanceTimersByTimeAsync(5_000);
      await sending;
      expect(budget.waitMs).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is given up with the request', async () => {
    const budget = new UploadBudget({ bytesPerSecond: () => 1_000, nowMs: Date.now });
    const controller = new AbortController();
    await budget.take(10_000, controller.signal);
    expect(budget.waitMs).toBeGreaterThan(5_000);
    const waiting = budget.take(1, controller.signal);
    controller.abort();
    await expect(waiting).rejects.toThrow();
  });
});

describe('members', () => {
  const peerId = '12D3KooWPhB5i2zQHaT5KaPTSgqPQTk25GamH7ak8TwqsyAo91mf';

  it('are forgotten, released and limited by time and number', () => {
    const members = new Members({ selfId: 'self', selfWeight: 1, nowMs: clock, onState: () => {} });
    members.learn({ peerId, addresses: ['/ip4/10.0.0.1/tcp/4001', '/ip4/bad/tcp/1', '/unix/x'] });
    const member = members.get(peerId);
    expect(member?.addresses).toEqual(['/ip4/10.0.0.1/tcp/4001']);
    expect(members.meet('self')).toBeUndefined();
    expect(members.meet('not a peer id')).toBeUndefined();
    member?.enter('up', 'linked', nowMs);
    expect(members.placement().order('g')).toHaveLength(2);
    member?.enter('suspect', 'gone', nowMs);
    expect(members.placement().order('g')).toEqual(['self']);
    nowMs += 6_000;
    members.age(nowMs, () => false);
    expect(member?.state).toBe('down');
    nowMs += 3_600_001;
    members.age(nowMs, () => false);
    expect(members.all()).toEqual([]);
    for (let i = 0; i < 300; i++) members.meet(`${'1'.repeat(50)}${String(i).replaceAll('0', 'z')}`);
    expect(members.all()).toHaveLength(256);
  });

  it('stay in quarantine for their time, twice as long the second time', () => {
    const member = new Member(peerId, { nowMs: clock, onState: () => {} });
    for (const minutes of [10, 20]) {
      member.quarantine('lied', nowMs);
      member.enter('up', 'linked', nowMs);
      nowMs += minutes * 60_000 - 1;
      member.release(nowMs);
      expect(member.report()).toMatchObject({ state: 'quarantined', reason: 'lied' });
      nowMs += 1;
      member.release(nowMs);
      expect(member.state).toBe('down');
      member.enter('up', 'linked', nowMs);
    }
  });
});

describe('refusals', () => {
  it('close a peer id at once and an address after many, for a minute', () => {
    const refusals = new Refusals(clock);
    for (let i = 0; i < 15; i++) refusals.add(`peer-${i}`, '10.0.0.1', 'stranger');
    expect(refusals.refusesPeer('peer-3')).toBe(true);
    expect(refusals.refusesPeer('peer-99')).toBe(false);
    expect(refusals.refusesAddress('10.0.0.1')).toBe(false);
    refusals.add('peer-15', '10.0.0.1', 'stranger');
    expect(refusals.refusesAddress('10.0.0.1')).toBe(true);
    refusals.clear('peer-3', '10.0.0.1');
    expect(refusals.refusesAddress('10.0.0.1')).toBe(false);
    expect(refusals.refusesPeer('peer-3')).toBe(false);
    nowMs += 60_001;
    expect(refusals.refusesPeer('peer-4')).toBe(false);
  });

  it('lets in soon who only fell silent: a member under load does', () => {
    const refusals = new Refusals(clock);
    for (const pauseMs of [1_000, 2_000, 4_000]) {
      refusals.add('peer', '10.0.0.1', 'silent');
      expect(refusals.refusesPeer('peer')).toBe(true);
      nowMs += pauseMs;
      expect(refusals.refusesPeer('peer')).toBe(false);
    }
  });
});

describe('what may be shared', () => {
  it.each([
    [{}, true],
    [{ 'cache-control': 'max-age=5, public' }, true],
    [{ 'cache-control': 'max-age=5,private' }, false],
    [{ 'cache-control': 'No-Store' }, false],
    [{ 'cache-control': 'private="set-cookie"' }, false],
    [{ 'cache-control': 'x-private-thing=1' }, true],
    [{ 'set-cookie': 'a=b' }, false],
  ])('an answer with %o: %s', (fields, may) =>
    expect(mayGivePeers(Fields.of(fields as Record<string, string>))).toBe(may),
  );

  it('no request of somebody', () => {
    expect(mayAskPeers('GET', Fields.empty)).toBe(true);
    expect(mayAskPeers('HEAD', Fields.empty)).toBe(false);
    for (const name of ['Authorization', 'Cookie']) expect(mayAskPeers('GET', Fields.of({ [name]: 'x' }))).toBe(false);
  });
});

describe('an answer of a peer', () => {
  const gap = { range: 'bytes=100-199', 'if-range': '"a"' };
  const part = { etag: '"a"', 'content-range': 'bytes 100-199/1000' };

  it.each<[string, Record<string, string>, number, Record<string, string>, boolean]>([
    ['the part that was asked for', gap, 206, part, true],
    ['a part of another version', gap, 206, { ...part, etag: '"b"' }, false],
    ['another version as a whole', gap, 200, { etag: '"b"' }, false],
    ['another part', gap, 206, { ...part, 'content-range': 'bytes 0-99/1000' }, false],
    [
      'a part under the same date',
      { range: 'bytes=0-', 'if-range': 'D' },
      206,
      { 'last-modified': 'D', 'content-range': 'bytes 0-9/10' },
      true,
    ],
    ['a whole without condition', { range: 'bytes=5-' }, 200, {}, true],
    ['a suffix', { range: 'bytes=-5' }, 206, { 'content-range': 'bytes 5-9/10' }, true],
    ['a part nobody asked for', {}, 206, part, false],
    ['not found', {}, 404, {}, true],
    ['not modified', { 'if-none-match': '"a"' }, 304, { etag: '"a"' }, true],
    ['a failure', {}, 502, {}, false],
    ['forbidden', {}, 403, {}, false],
  ])('%s', (_, asked, status, fields, useful) => {
    expect(isUseful(Fields.of(asked), { status, fields: Fields.of(fields) })).toBe(useful);
  });
});

describe('a checked body', () => {
  it('has the promised length', () => {
    const part = Fields.of({ 'content-range': 'bytes 10-14/100', 'content-length': '5' });
    const check = new BodyCheck({ status: 206, fields: part });
    expect(check.push(Buffer.from('abc'))).toEqual(Buffer.from('abc'));
    expect(() => check.end()).toThrow('3 bytes instead of 5');
    expect(() => check.push(Buffer.from('def'))).toThrow('more than the 5');
  });

  it('is given only when the digest of the origin is right, the end of it if it is long', () => {
    const digest = createHash('sha256').update('abcdef').digest('base64');
    const fields = Fields.of({ 'repr-digest': `sha-512=:AAAA:, sha-256=:${digest}:` });
    const right = new BodyCheck({ status: 200, fields });
    expect(right.push(Buffer.from('abc'))).toBeUndefined();
    expect(right.push(Buffer.from('def'))).toBeUndefined();
    expect(String(right.end())).toBe('abcdef');
    const wrong = new BodyCheck({ status: 200, fields });
    expect(wrong.push(Buffer.from('abcdeF'))).toBeUndefined();
    expect(() => wrong.end()).toThrow('Repr-Digest');
    const long = new BodyCheck({ status: 200, fields: fields.with('content-length', 5_000_000) });
    expect(long.push(Buffer.alloc(2_500_000))).toBeUndefined();
    expect(long.push(Buffer.alloc(2_500_000))?.length).toBe(2_500_000);
    expect(() => long.end()).toThrow('Repr-Digest');
  });
});

describe('a manifest', () => {
  const bytes = Buffer.from(Array.from({ length: 2 * sliceBytes + 1_000 }, (_, i) => (i * 7 + (i >> 9)) & 255));
  const digests = [0, 1, 2].map((i) => blake3(bytes.subarray(i * sliceBytes, (i + 1) * sliceBytes)));
  const manifest = {
    ...{ key: 'k', etag: '"a"', lastModified: '', completeLength: bytes.length, firstSlice: 0, digests },
    ...{ signer: 'somebody', signature: Buffer.alloc(64) },
  };

  function through(check: BodyCheck, body: Buffer): Buffer {
    const given: (Buffer | undefined)[] = [];
    for (let at = 0; at < body.length; at += 50_000) given.push(check.push(body.subarray(at, at + 50_000)));
    given.push(check.end());
    return Buffer.concat(given.filter((each) => each !== undefined));
  }

  it('lets whole slices through when they are right', () => {
    const fields = Fields.of({ 'content-length': bytes.length });
    expect(through(new BodyCheck({ status: 200, fields, manifest }), bytes).equals(bytes)).toBe(true);
    const range = Fields.of({ 'content-range': `bytes 1000-${2 * sliceBytes + 9}/${bytes.length}` });
    const part = bytes.subarray(1_000, 2 * sliceBytes + 10);
    expect(through(new BodyCheck({ status: 206, fields: range, manifest }), part).equals(part)).toBe(true);
  });

  it('takes the digest of a frame that is a slice, and hashes what is not', () => {
    const check = new BodyCheck({ status: 200, fields: Fields.of({ 'content-length': bytes.length }), manifest });
    const [first, second] = digests;
    if (first === undefined || second === undefined) throw new Error('no digests');
    const slice = bytes.subarray(0, sliceBytes);
    expect(check.push(slice, first)).toBe(slice);
    expect(check.push(bytes.subarray(sliceBytes, sliceBytes + 10), second)).toBeUndefined();
    expect(check.push(bytes.subarray(sliceBytes + 10, 2 * sliceBytes), second)?.length).toBe(sliceBytes);
    expect(() => check.push(bytes.subarray(2 * sliceBytes), first)).toThrow('somebody signed');
  });

  it.each([0, sliceBytes + 5, 2 * sliceBytes])('gives nothing of a slice that is wrong at %i', (at) => {
    const wrong = Buffer.from(bytes);
    wrong[at] = (wrong[at] ?? 0) ^ 1;
    const check = new BodyCheck({ status: 200, fields: Fields.of({ 'content-length': bytes.length }), manifest });
    let given = 0;
    expect(() => {
      for (let i = 0; i < wrong.length; i += 50_000) given += check.push(wrong.subarray(i, i + 50_000))?.length ?? 0;
      check.end();
    }).toThrow('somebody signed');
    expect(given).toBeLessThanOrEqual(at);
  });
});

describe('an audit', () => {
  it.each([
    ['the same', 0, 0],
    ['other', 1, 1],
  ])('finds %s bytes at the origin', async (_, difference, mismatches) => {
    const peerBytes = Buffer.alloc(100_000, 1);
    const originBytes = Buffer.alloc(100_000, 1 + difference);
    const found: string[] = [];
    const asked = Promise.withResolvers<void>();
    const audit = new Audit({
      share: () => 1,
      delayMs: 0,
      random: () => 0.5,
      onMismatch: (peerId) => found.push(peerId),
      origin: {
        name: 'origin',
        supply: async ({ fields }) => {
          const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(fields.get('range') ?? '') ?? [];
          const bytes = originBytes.subarray(Number(first), Number(last) + 1);
          return {
            source: 'origin',
            status: 206,
            fields: Fields.of({ etag: '"a"', 'content-range': `bytes ${first}-${last}/100000` }),
            body: (async function* () {
              yield bytes;
              asked.resolve();
            })(),
            requestTimeMs: 0,
            responseTimeMs: 0,
          };
        },
      },
    });
    const fields = Fields.of({ etag: '"a"', 'content-length': '100000' });
    const audited = audit.begin({ request: get('/x'), status: 200, fields, peerId: 'p' });
    audited?.bytes(peerBytes.subarray(0, 60_000), 0);
    audited?.bytes(peerBytes.subarray(60_000), 60_000);
    audited?.end();
    await soon(() => expect(found).toHaveLength(mismatches));
    if (mismatches === 0) await Promise.race([asked.promise, new Promise((resolve) => setTimeout(resolve, 50))]);
    expect(found).toHaveLength(mismatches);
  });

  it('is not made without a strong validator', () => {
    const audit = new Audit({
      share: () => 1,
      delayMs: 0,
      random: () => 0,
      onMismatch: () => {},
      origin: { name: 'origin', supply: async () => undefined },
    });
    for (const etag of ['W/"a"', undefined]) {
      const fields = Fields.of({ 'content-length': '5', ...(etag && { etag }) });
      expect(audit.begin({ request: get('/x'), status: 200, fields, peerId: 'p' })).toBeUndefined();
    }
  });
});

describe('late errors', () => {
  it('are known by name and by where they come from', () => {
    const late = Object.assign(new Error('reset'), {
      name: 'StreamResetError',
      stack: 'at x (/n/node_modules/@libp2p/utils/a.js:1:1)',
    });
    expect(isLatePeerError(late)).toBe(true);
    expect(
      isLatePeerError(Object.assign(new Error('x'), { name: 'StreamResetError', stack: 'at (/app/src/cache/a.ts)' })),
    ).toBe(false);
    expect(isLatePeerError(Object.assign(new TypeError('bug'), { stack: late.stack }))).toBe(false);
    expect(isLatePeerError('x')).toBe(false);
  });
});
