import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { expect, test } from 'vitest';
import { ask, errorOf, kept, readAll, supplierFor } from '../support/origin-supplier.ts';

async function startTls(name: string) {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: name }] }],
  });
  const names: (string | false | undefined)[] = [];
  const server = createServer({ cert, key }, (request, response) => response.end(request.headers.host));
  server.on('secureConnection', (socket) => names.push((socket as unknown as { servername: string }).servername));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, ca: cert, names, close };
}

test('an https upstream is verified by its name, whatever Host is sent', async () => {
  const { port, ca, names } = kept(await startTls('localhost'));
  const upstreams = [`https://localhost:${port}/`];
  const supplier = kept(supplierFor({ upstreams, tls: { ca }, hostField: 'video.example' }));
  expect((await readAll(await ask(supplier, '/'))).toString()).toBe('video.example');
  expect(names).toEqual(['localhost']);
});

test('an upstream given as an address is verified by its Host', async () => {
  const { port, ca, names } = kept(await startTls('video.example'));
  const upstreams = [`https://127.0.0.1:${port}/`];
  const supplier = kept(supplierFor({ upstreams, tls: { ca }, hostField: 'video.example:443' }));
  expect((await ask(supplier, '/')).status).toBe(200);
  expect(names).toEqual(['video.example']);
});

test.each([
  ['whose certificate nobody vouches for', 'localhost', false],
  ['whose certificate is for another name', 'other.example', true],
])('an upstream %s is refused', async (_, name, trusted) => {
  const { port, ca } = kept(await startTls(name));
  const upstreams = [`https://localhost:${port}/`];
  const supplier = kept(supplierFor({ upstreams, ...(trusted && { tls: { ca } }) }));
  expect(await errorOf(ask(supplier, '/'))).toMatchObject({ code: 'origin-refused', side: 'upstream' });
});
