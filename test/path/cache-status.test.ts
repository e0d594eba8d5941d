import { afterEach, expect, it } from 'vitest';
import type { AccessRecord } from '../../src/http/access.ts';
import { type Edge, startEdge } from '../support/edge.ts';
import { startOrigin, type TestOrigin } from '../support/origin.ts';
import { view } from '../support/viewer.ts';

const records: AccessRecord[] = [];
let origin: TestOrigin;
let edge: Edge;

afterEach(async () => {
  records.length = 0;
  await edge.close();
  await origin.close();
});

it('a hit without content is not said to come from the origin', async () => {
  origin = await startOrigin((_request, response) => {
    response.writeHead(204, { 'Cache-Control': 'max-age=60' }).end();
  });
  edge = await startEdge({ origins: [origin.url] });
  expect((await view(`${edge.url}/none`)).headers['cache-status']).toMatch(/fwd=miss; .*detail=origin$/);
  expect((await view(`${edge.url}/none`)).headers['cache-status']).toMatch(/^eddy; hit; .*detail=ram$/);
});

it('a request that failed at the origin counts as one that went on', async () => {
  origin = await startOrigin({});
  edge = await startEdge({ origins: [origin.url], onFinished: (record) => records.push(record) });
  await origin.close();
  expect((await view(`${edge.url}/gone`)).headers['cache-status']).toBe('eddy; fwd=miss');
  expect(records).toMatchObject([{ status: 502, hit: false, fwd: 'miss' }]);
  origin = await startOrigin({});
});
