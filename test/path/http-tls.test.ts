import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chunksOf, FakeContent, passed, patternBytes, policyOf } from '../support/fake-cache.ts';
import { RawConnection } from '../support/raw-http.ts';
import { openViewers, type TestViewers } from '../support/viewers.ts';

const bytes = patternBytes(2_000_000);
let folder: string;
let test: TestViewers;
let session: ClientHttp2Session;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eddy-tls-'));
  await writeCertificate('first.example');
  test = await openViewers({
    listen: [],
    tlsListen: [{ host: '127.0.0.1', port: 0 }],
    tls: { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') },
    policies: [policyOf()],
    limits: { headTimeoutMs: 400, stallTimeoutMs: 800 },
  });
  test.cache.store('/ram', new FakeContent(bytes), { fields: { ETag: '"v"', 'X-Two': 'a' } });
  test.cache.on('/echo', (request) => passed(200, echo(request.body)));
  session = connect(test.url, { rejectUnauthorized: false });
});
afterAll(async () => {
  session.destroy();
  await test.viewers.close();
  await rm(folder, { recursive: true });
});

async function writeCertificate(name: string): Promise<void> {
  const pems = await generate([{ name: 'commonName', value: name }], { keySize: 2048 });
  await writeFile(join(folder, 'key.pem'), pems.private);
  await writeFile(join(folder, 'cert.pem'), pems.cert);
}

async function* echo(body: AsyncIterable<Uint8Array> | undefined): AsyncGenerator<Buffer> {
  for await (const chunk of body ?? []) yield Buffer.from(chunk);
}

interface H2Response {
  readonly headers: IncomingHttpHeaders & { ':status'?: number | undefined };
  readonly body: Buffer;
  readonly rstCode: number;
}

async function ask(headers: Record<string, string | string[]>, content?: string): Promise<H2Response> {
  const stream = session.request({ ':authority': 'a.example', ...headers }, { endStream: content === undefined });
  const got: { headers: H2Response['headers'] } = { headers: {} };
  stream.on('response', (response) => {
    got.headers = response;
  });
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('error', () => {});
  if (content !== undefined) stream.end(content);
  await new Promise((resolve) => stream.on('close', resolve));
  return { headers: got.headers, body: Buffer.concat(chunks), rstCode: stream.rstCode };
}

function certificateName(): Promise<string> {
  const { port } = new URL(test.url);
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

describe('HTTP/2', () => {
  it('serves whole and ranges', async () => {
    const whole = await ask({ ':path': '/ram' });
    expect([whole.headers[':status'], whole.headers['content-length']]).toEqual([200, '2000000']);
    expect(whole.body.equals(bytes)).toBe(true);
    const part = await ask({ ':path': '/ram', range: 'bytes=1000-1500000' });
    expect(part.headers['content-range']).toBe('bytes 1000-1500000/2000000');
    expect(part.body.equals(bytes.subarray(1000, 1_500_001))).toBe(true);
  });

  it('serves many streams at once', async () => {
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, i) => ask({ ':path': '/ram', range: `bytes=${i * 1000}-${i * 1000 + 99_999}` })),
    );
    all.forEach(({ body }, i) => {
      expect(body.equals(bytes.subarray(i * 1000, i * 1000 + 100_000))).toBe(true);
    });
  });

  it('gives the cache the same request as HTTP/1.1 (RFC 9113 8.3.1, 8.2.3)', async () => {
    await ask({ ':path': '/ram?q=1', cookie: ['a=1', 'b=2'], te: 'trailers' });
    const request = test.cache.requests.at(-1);
    expect(request?.target).toBe('/ram?q=1');
    expect([request?.scheme, request?.authority]).toEqual(['https', 'a.example']);
    expect(request?.fields.raw).toEqual(['cookie', 'a=1; b=2']);
  });

  it('HEAD and 304 have no content', async () => {
    const head = await ask({ ':path': '/ram', ':method': 'HEAD' });
    expect([head.headers[':status'], head.headers['content-length'], head.body.length]).toEqual([200, '2000000', 0]);
    const notModified = await ask({ ':path': '/ram', 'if-none-match': '"v"' });
    expect([notModified.headers[':status'], notModified.body.length]).toEqual([304, 0]);
  });

  it('streams content both ways, without connection-specific fields (RFC 9113 8.2.2)', async () => {
    const fields = { Connection: 'x', 'Keep-Alive': '1', 'Transfer-Encoding': 'chunked', 'Set-Cookie': 'a=1' };
    test.cache.on('/both', (request) => passed(200, echo(request.body), { fields }));
    const response = await ask({ ':path': '/both', ':method': 'POST' }, 'hello');
    expect(response.body.toString()).toBe('hello');
    expect(response.headers.connection).toBeUndefined();
    expect(response.headers['set-cookie']).toEqual(['a=1']);
  });

  it('an early answer does not wait for the rest of the request (RFC 9113 8.1)', async () => {
    test.cache.on('/early', () => passed(403, chunksOf('no')));
    const stream = session.request({ ':path': '/early', ':method': 'POST', ':authority': 'a' }, { endStream: false });
    const [headers] = await once(stream, 'response');
    expect(headers[':status']).toBe(403);
    stream.resume();
    await once(stream, 'close');
    expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  });

  it('a failure midway resets the stream, not the connection', async () => {
    test.cache.store('/breaks', new FakeContent(bytes, { failsAt: 500_000 }), { peeks: false });
    const broken = await ask({ ':path': '/breaks' });
    expect(broken.rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR);
    expect(broken.body.equals(bytes.subarray(0, broken.body.length))).toBe(true);
    expect((await ask({ ':path': '/ram', range: 'bytes=0-0' })).headers[':status']).toBe(206);
  });

  it.each([
    [{ ':path': '/ram', host: 'other' }, 400],
    [{ ':path': '/ram%zz' }, 400],
    [{ ':path': `/${'x'.repeat(9000)}` }, 414],
    [{ ':path': '/ram', ':method': 'TRACE' }, 405],
    [{ ':path': '/ram', 'x-big': 'x'.repeat(16_400) }, 431],
  ])('%j is refused', async (headers, status) => {
    expect((await ask(headers)).headers[':status']).toBe(status);
  });

  it('CONNECT is refused', async () => {
    const stream = session.request({ ':method': 'CONNECT', ':authority': 'a:443' });
    const [headers] = await once(stream, 'response');
    expect(headers[':status']).toBe(501);
    stream.close();
  });

  it('a viewer that cancels aborts its request and frees the content', async () => {
    const content = new FakeContent(bytes, { inRam: false, waitAt: { offset: 100_000, until: new Promise(() => {}) } });
    test.cache.store('/waits', content, { peeks: false });
    const stream = session.request({ ':path': '/waits', ':authority': 'a' });
    stream.on('error', () => {});
    await once(stream, 'data');
    const next = test.nextRecord();
    stream.close(constants.NGHTTP2_CANCEL);
    expect(await next).toMatchObject({ complete: false, protocol: 'HTTP/2' });
    await expect.poll(() => content.reading).toBe(0);
  });

  it('a viewer that opens no window is cut off, others on the connection are not', async () => {
    test.cache.store('/large', new FakeContent(patternBytes(8_000_000), { inRam: false }), { peeks: false });
    const stream = session.request({ ':path': '/large', ':authority': 'a' });
    stream.on('error', () => {});
    await once(stream, 'response');
    const closed = once(stream, 'close');
    expect((await ask({ ':path': '/ram', range: 'bytes=0-9' })).headers[':status']).toBe(206);
    await closed;
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
  });
});

describe('HTTP/1.1 over TLS', () => {
  it('serves', async () => {
    const outgoing = httpsRequest(`${test.url}/ram`, { rejectUnauthorized: false, agent: false });
    outgoing.end();
    const [response] = await once(outgoing, 'response');
    const chunks: Buffer[] = await response.toArray();
    expect([response.httpVersion, Buffer.concat(chunks).equals(bytes)]).toEqual(['1.1', true]);
    expect(test.cache.requests.at(-1)?.scheme).toBe('https');
  });

  it('has the same timeouts: an unfinished header section is 408', async () => {
    const { port } = new URL(test.url);
    const socket = tlsConnect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const connection = new RawConnection(socket);
    connection.send('GET / HTTP/1.1\r\nHost: a\r\n');
    expect((await connection.response())?.status).toBe(408);
    await connection.closed();
  });
});

it('a changed certificate is used for new connections; one that does not fit its key is not', async () => {
  expect(await certificateName()).toBe('first.example');
  await writeCertificate('second.example');
  await expect.poll(certificateName).toBe('second.example');
  await writeFile(join(folder, 'cert.pem'), 'not a certificate');
  await expect.poll(() => test.logged.some((line) => line.includes('cannot be used'))).toBe(true);
  expect(await certificateName()).toBe('second.example');
  expect((await ask({ ':path': '/ram', range: 'bytes=0-0' })).headers[':status']).toBe(206);
});

it('a missing certificate is an error that names the file', async () => {
  const tls = { certFile: join(folder, 'none.pem'), keyFile: join(folder, 'key.pem') };
  await expect(openViewers({ tlsListen: [{ host: '127.0.0.1', port: 0 }], tls })).rejects.toThrow(/none\.pem/);
});
