import { afterEach, expect, test } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { startOrigin, type TestOrigin } from '../support/origin.ts';
import { view } from '../support/viewer.ts';

let origin: TestOrigin;
let edge: Edge;

afterEach(async () => {
  await edge.close();
  await origin.close();
});

test('every byte of content given to viewers is counted once, for where it came from', async () => {
  origin = await startOrigin({
    '/kept.ts': { length: 300_000 },
    '/passed': { length: 70_000, fields: { 'Cache-Control': 'no-store' } },
    '/failing': (_request, response) => void response.writeHead(500, { 'Content-Length': '6' }).end('failed'),
    '/posted': (request, response) => void request.resume().on('end', () => response.end('thanks')),
  });
  edge = await startEdge({ origins: [origin.url], diskBytes: 16 * 1024 * 1024 });
  let given = 0;
  const ask = async (path: string, options: Parameters<typeof view>[1] = {}): Promise<void> => {
    const { body } = await view(edge.url + path, options);
    given += body.length;
  };
  for (const _ of [1, 2, 3]) await ask('/kept.ts');
  await ask('/kept.ts', { headers: { range: 'bytes=1000-1999' } });
  await ask('/kept.ts', { method: 'HEAD' });
  await Promise.all([ask('/passed'), ask('/passed')]);
  await Promise.all([ask('/failing'), ask('/failing')]);
  await ask('/posted', { method: 'POST' });
  expect(edge.served).toEqual({ ram: 601_000, disk: 0, peer: 0, origin: 300_000 + 2 * 70_000 + 2 * 6 + 6 });
  expect(given).toBe(edge.served.ram + edge.served.origin);
});
