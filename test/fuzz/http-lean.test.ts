import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { limitsSchema } from '../../src/config/limits.ts';
import { Fields } from '../../src/fields.ts';
import { LeanReader } from '../../src/http/lean/lean-request.ts';
import { startViewers, type Viewers } from '../../src/http/listener.ts';
import { chunksOf, FakeCache, FakeContent, passed, patternBytes, policyOf } from '../support/fake-cache.ts';
import { fuzzCount, fuzzSeed } from '../support/fuzz.ts';
import { leanInputs } from '../support/lean-inputs.ts';
import { RawConnection, type RawResponse } from '../support/raw-http.ts';

const count = fuzzCount(10_000);
const concurrent = 60;
/** Over TLS fewer: what is different there is how bytes come and go, not what they say. */
const protocols = [
  { protocol: 'http', index: 0, count },
  { protocol: 'https', index: 1, count: Math.ceil(count / 5) },
] as const;
/** Follows every input: where both fronts are still in step they answer it, and close. */
const last = 'GET /small HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n';
const limits = {
  ...limitsSchema.parse({}),
  ...{
    headTimeoutMs: 500,
    requestTimeoutMs: 1000,
    keepAliveTimeoutMs: 100,
    stallTimeoutMs: 2000,
    bodyBytesMax: 10_000,
  },
};
const cache = new FakeCache();
const logged: string[] = [];
let lean: Viewers;
let full: Viewers;
let folder: string;

beforeAll(async () => {
  fill();
  folder = await mkdtemp(join(tmpdir(), 'eddy-lean-'));
  const pems = await generate([{ name: 'commonName', value: 'lean.example' }], { keyType: 'ec', curve: 'P-256' });
  const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  await Promise.all([writeFile(tls.certFile, pems.cert), writeFile(tls.keyFile, pems.private)]);
  const policies = [policyOf(), policyOf({ name: 'cors', prefix: '/cors', cors: true })];
  const note = (about: object, message: string) =>
    logged.push(`${message} ${String((about as { err?: unknown }).err)}`);
  const log = { info: note, warn: note, error: note };
  const listen = [{ host: '127.0.0.1', port: 0 }];
  const options = { listen, tlsListen: listen, tls, cache, policies, limits, log, onFinished: () => {} };
  lean = await startViewers(options);
  full = await startViewers({ ...options, lean: false });
});
afterAll(async () => {
  await Promise.all([lean.close(), full.close()]);
  await rm(folder, { recursive: true });
});

function fill(): void {
  const about = {
    ETag: '"v"',
    'Last-Modified': 'Sat, 01 Jan 2022 00:00:00 GMT',
    Date: 'Sat, 01 Jan 2028 00:00:00 GMT',
  };
  cache.store('/ram', new FakeContent(patternBytes(20_000)), { fields: about });
  cache.store('/cors/ram', new FakeContent(patternBytes(2000)), { fields: about });
  cache.store('/small', new FakeContent(Buffer.from('small')), { fields: about });
  cache.store('/empty', new FakeContent(Buffer.alloc(0)), { fields: about });
  cache.store('/vary', new FakeContent(Buffer.from('varies')), { fields: { ...about, Vary: 'Accept-Encoding' } });
  cache.store('/gone', new FakeContent(Buffer.from('gone')), { status: 410, fields: about });
  cache.store('/nocontent', new FakeContent(Buffer.alloc(0)), { status: 204, fields: about });
  cache.store('/reset', new FakeContent(Buffer.alloc(0)), { status: 205, fields: about });
  cache.on('/chunked', () => ({
    ...{ kind: 'representation', status: 200, fields: Fields.of(about), cacheStatus: { hit: true, ttlSeconds: 30 } },
    content: new FakeContent(patternBytes(5000), { lengthKnown: false, inRam: false, step: 1000 }),
  }));
  cache.on('/passed', () => passed(200, chunksOf('passed ', 'on'), { fields: { ...about, 'Content-Length': '9' } }));
  cache.otherwise = async (request) => {
    let length = 0;
    for await (const chunk of request.body ?? []) length += chunk.length;
    return passed(404, chunksOf(`${length} bytes`), { fields: about });
  };
}

interface Input {
  readonly text: string;
  readonly cuts: readonly number[];
}

interface Heard {
  readonly responses: readonly RawResponse[];
  readonly end: 'closed' | 'broken';
}

/** Everything one connection gets for an input, up to its end, which must come. */
async function hear(url: string, { text, cuts }: Input): Promise<Heard> {
  const connection = await RawConnection.open(url);
  const deadline = setTimeout(() => connection.socket.destroy(new Error('deadline')), 8000);
  let late = false;
  connection.socket.once('error', (error) => {
    late = error.message === 'deadline';
  });
  connection.socket.setNoDelay(true);
  // An end that comes while it still sends is heard below.
  write(connection, text + last, cuts).catch(() => {});
  const responses: RawResponse[] = [];
  let end: Heard['end'] = 'closed';
  for (;;) {
    const response = await connection.response(methodOf(text, responses)).catch(() => 'broken' as const);
    if (response === 'broken') end = 'broken';
    if (response === undefined || response === 'broken') break;
    responses.push(response);
  }
  clearTimeout(deadline);
  connection.destroy();
  if (late) throw new Error(`${lean.urls.includes(url) ? 'lean' : 'node:http'} neither answered nor ended`);
  return { responses, end };
}

/** In writes that arrive apart from one another, as far as that can be told. */
async function write({ socket }: RawConnection, text: string, cuts: readonly number[]): Promise<void> {
  const places = [...new Set(cuts.map((cut) => cut % text.length))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...places, text.length]) {
    if (socket.destroyed) return;
    if (to > from) socket.write(Buffer.from(text.slice(from, to), 'latin1'));
    from = to;
    if (to < text.length) await Promise.race([new Promise((resolve) => setTimeout(resolve, 1)), once(socket, 'close')]);
  }
}

/** The method of the next response's request: HEAD has no content, whatever its head says. */
function methodOf(text: string, before: readonly RawResponse[]): string {
  const methods = [...text.matchAll(/(?:^|\r\n\r\n|\n\n)[\r\n]*([A-Za-z]+) \S* HTTP\/1\.[01]\r?\n/g)].map(
    (match) => match[1],
  );
  return methods[before.filter(({ status }) => status >= 200).length] ?? 'GET';
}

/** Whether the lean front takes all of it. */
function isPlain(text: string): boolean {
  const reader = new LeanReader(limits);
  let at = 0;
  while (at < text.length) {
    const request = reader.read(text, at);
    if (request === undefined) return false;
    if (request.close) return true;
    at = request.end;
  }
  return true;
}

/**
 * A response without what may differ from one moment to the next. Whether malformed input is seen before or after a
 * response ahead of it began is such a thing, and with it what that response says about the connection.
 */
function comparable({ status, head, body, whole }: RawResponse, isPlainInput: boolean): unknown {
  const boundary = /boundary=([0-9a-f]+)/.exec(head)?.[1];
  const plain = (text: string) => (boundary === undefined ? text : text.replaceAll(boundary, 'boundary'));
  const fields = plain(head)
    .split('\r\n')
    .filter((line) => !(isPlainInput ? /^(?:date|age):/i : /^(?:date|age|connection|keep-alive):/i).test(line))
    .sort();
  return { status, fields, body: plain(body.toString('latin1')), whole };
}

function differenceOf(ours: Heard, theirs: Heard, plain: boolean): string | undefined {
  for (let i = 0; i < Math.max(ours.responses.length, theirs.responses.length); i++) {
    const [one, other] = [ours.responses[i], theirs.responses[i]].map(
      (each) => each && JSON.stringify(comparable(each, plain)),
    );
    if (one !== other) return `response ${i}: lean ${one?.slice(0, 700)}, node:http ${other?.slice(0, 700)}`;
  }
  return ours.end === theirs.end ? undefined : `lean ${ours.end}, node:http ${theirs.end}`;
}

/** What differs. A machine that stops for longer than a deadline makes differences too, but not twice. */
async function compare(input: Input, { plain, index }: { plain: boolean; index: number }): Promise<string | undefined> {
  try {
    const [ours, theirs] = await Promise.all([lean, full].map(({ urls }) => hear(urls[index] ?? '', input)));
    if (ours === undefined || theirs === undefined) return 'nothing heard';
    const refused = plain && theirs.responses.some(({ status }) => status === 400);
    return refused ? 'plain, but refused' : differenceOf(ours, theirs, plain);
  } catch (error) {
    return String(error).slice(0, 1500);
  }
}

const title = 'answers inputs as node:http alone does, over $protocol';

it.each(protocols)(title, { timeout: 240_000 }, async ({ protocol, index, count }) => {
  console.log(`http lean fuzz over ${protocol}: EDDY_FUZZ_SEED=${fuzzSeed} EDDY_FUZZ_COUNT=${count}`);
  const inputs = fc.sample(leanInputs, { seed: fuzzSeed, numRuns: count });
  const findings: string[] = [];
  const seen = { plain: 0, whole: 0, handedOver: 0 };
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < inputs.length && findings.length < 5; i = next++) {
      const input = inputs[i] ?? { text: '', cuts: [] };
      const plain = isPlain(input.text);
      seen[plain ? 'plain' : 'handedOver']++;
      if (plain && input.cuts.length === 0) seen.whole++;
      const finding = (await compare(input, { plain, index })) && (await compare(input, { plain, index }));
      if (finding !== undefined) findings.push(`#${i} ${finding} for ${JSON.stringify(input).slice(0, 800)}`);
    }
  };
  await Promise.all(Array.from({ length: concurrent }, worker));
  expect(findings).toEqual([]);
  console.log(`http lean fuzz: ${JSON.stringify(seen)}`);
  // The generator is only worth something while both sorts come often.
  expect(seen.whole).toBeGreaterThan(count / 10);
  expect(seen.handedOver).toBeGreaterThan(count / 10);
  expect(logged.filter((line) => line.includes('failed'))).toEqual([]);
});
