import { expect, it } from 'vitest';
import { Representation } from '../../src/cache/stored/representation.ts';
import { Fields } from '../../src/fields.ts';
import { collectUntil } from '../support/collect.ts';

const headBytes = 256 * 1024;

it('a representation keeps its target and not the head of the request that it was cut out of', async () => {
  const representations: Representation[] = [];
  await collectUntil(() => true);
  const before = process.memoryUsage().heapUsed;
  for (let id = 0; id < 200; id++) {
    const head = Buffer.alloc(headBytes, `GET /video/segment-${id}.m4s HTTP/1.1\r\n`).toString('latin1');
    const target = head.slice(4, head.indexOf(' HTTP'));
    const stored = {
      id,
      status: 200,
      fields: new Fields([]),
      completeLength: 1,
      requestTimeMs: 0,
      responseTimeMs: 0,
      vary: [],
      invalidated: false,
    };
    representations.push(new Representation(stored, { key: `default ${id}`, target }));
  }
  await collectUntil(() => true);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(40 * headBytes);
  expect(representations.at(-1)?.target).toBe('/video/segment-199.m4s');
});
