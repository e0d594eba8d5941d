import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { expect, it } from 'vitest';
import { FakeContent, patternBytes, policyOf } from '../support/fake-cache.ts';
import { RawConnection } from '../support/raw-http.ts';
import { standStill } from '../support/stand-still.ts';
import { openViewers, type TestViewers } from '../support/viewers.ts';

const bytes = patternBytes(300_000);
const request = 'GET /ram HTTP/1.1\r\nHost: a\r\n\r\n';

/** A listener with `/ram`, and `/slow` whose second half waits for the gate. */
async function openDrainable(changes = {}): Promise<TestViewers & { gate: PromiseWithResolvers<void> }> {
  const gate = Promise.withResolvers<void>();
  const test = await openViewers({ policies: [policyOf()], limits: { drainGraceMs: 200 }, ...changes });
  test.cache.store('/ram', new FakeContent(bytes));
  const slow = new FakeContent(bytes, { inRam: false, waitAt: { offset: 150_000, until: gate.promise } });
  test.cache.store('/slow', slow, { peeks: false });
  return { ...test, gate };
}

it('a running response is finished, new connections are refused, resting ones end', async () => {
  const { viewers, url, gate } = await openDrainable();
  const [running, resting, unused] = await Promise.all([1, 2, 3].map(() => RawConnection.open(url)));
  if (running === undefined || resting === undefined || unused === undefined) throw new Error('unreachable');
  running.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(running.socket, 'data');
  resting.send(request);
  await resting.response();

  const drained = viewers.drain(10_000);
  resting.send(request);
  const told = await resting.response();
  expect([told?.status, told?.fields.get('connection')]).toEqual([200, 'close']);
  await Promise.all([resting.closed(), unused.closed()]);
  const refused = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
  await expect(once(refused, 'connect')).rejects.toThrow(/ECONNREFUSED/);

  expect(viewers.connections()).toBe(1);
  gate.resolve();
  const response = await running.response();
  expect([response?.whole, response?.body.equals(bytes)]).toEqual([true, true]);
  await drained;
  expect(viewers.connections()).toBe(0);
});

it('cuts no request of connections that ask without pause', async () => {
  const { viewers, url } = await openDrainable();
  let answered = 0;
  const client = async () => {
    const connection = await RawConnection.open(url);
    for (;;) {
      connection.send(request);
      const response = await connection.response();
      expect([response?.status, response?.whole]).toEqual([200, true]);
      answered++;
      if (response?.fields.get('connection') === 'close') return connection.closed();
    }
  };
  const clients = Promise.all(Array.from({ length: 20 }, client));
  await expect.poll(() => answered).toBeGreaterThan(100);
  await viewers.drain(10_000);
  await clients;
});

it('who is answered when the others have gone has time to ask once more', async () => {
  const { viewers, url, gate } = await openDrainable({ limits: { drainGraceMs: 1000 } });
  const [running, resting] = await Promise.all([1, 2].map(() => RawConnection.open(url)));
  if (running === undefined || resting === undefined) throw new Error('unreachable');
  running.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(running.socket, 'data');
  resting.send(request);
  await resting.response();
  const drained = viewers.drain(10_000);
  await resting.closed();
  gate.resolve();
  const response = await running.response();
  expect([response?.whole, response?.fields.get('connection')]).toEqual([true, 'keep-alive']);
  // As long as looks for those that rest are apart, and more.
  await new Promise((resolve) => setTimeout(resolve, 300));
  running.send(request);
  const last = await running.response();
  expect([last?.status, last?.whole, last?.fields.get('connection')]).toEqual([200, true, 'close']);
  await drained;
});

it('who has asked while this process stood still is answered, not taken for resting', async () => {
  const { viewers, url } = await openDrainable();
  const resting = await RawConnection.open(url);
  resting.send(request);
  await resting.response();
  const drained = viewers.drain(10_000);
  resting.send(request);
  standStill(500);
  const told = await resting.response();
  expect([told?.status, told?.whole, told?.fields.get('connection')]).toEqual([200, true, 'close']);
  await drained;
});

it('cuts what still runs at the deadline, and resolves', async () => {
  const { viewers, url } = await openDrainable();
  const running = await RawConnection.open(url);
  running.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(running.socket, 'data');
  await viewers.drain(300);
  expect((await running.response())?.whole).toBe(false);
  expect(viewers.connections()).toBe(0);
});

it('HTTP/2: streams on their way are taken, running ones finish, then the connection ends', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'eddy-drain-'));
  const pems = await generate([{ name: 'commonName', value: 'a' }], { keySize: 2048 });
  const tls = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
  await Promise.all([writeFile(tls.certFile, pems.cert), writeFile(tls.keyFile, pems.private)]);
  const tlsListen = [{ host: '127.0.0.1', port: 0 }];
  const { viewers, url, gate } = await openDrainable({ listen: [], tlsListen, tls });

  const session = connectHttp2(url, { rejectUnauthorized: false });
  const stream = session.request({ ':path': '/slow', ':authority': 'a' });
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'data');
  const goaway = once(session, 'goaway');
  const drained = viewers.drain(10_000);
  const [code, lastStream] = await goaway;
  expect([code, lastStream]).toEqual([0, 2 ** 31 - 1]);
  gate.resolve();
  await once(stream, 'close');
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
  await drained;
  await rm(folder, { recursive: true });
});

it('stopAccepting alone leaves connections as they are', async () => {
  const { viewers, url } = await openDrainable();
  const connection = await RawConnection.open(url);
  viewers.stopAccepting();
  connection.send(request + request);
  for (let i = 0; i < 2; i++) expect((await connection.response())?.fields.get('connection')).not.toBe('close');
  await viewers.close();
  await connection.closed();
});

it('an address in use is an error, and nothing stays open', async () => {
  const { viewers, url } = await openDrainable();
  const listen = [
    { host: '127.0.0.1', port: 0 },
    { host: '127.0.0.1', port: Number(new URL(url).port) },
  ];
  await expect(openViewers({ listen })).rejects.toThrow(/EADDRINUSE/);
  await viewers.close();
});
