import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Deadline } from '../../src/origin/deadline.ts';
import { until } from '../support/until.ts';

function standStill(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

it('what came while the process stood still was not late', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reader = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [writer] = (await once(server, 'connection')) as [Socket];
  const deadline = new Deadline();
  let late = 0;
  let read = 0;
  reader.on('data', () => {
    read++;
    deadline.touch();
  });
  deadline.start({ timeoutMs: 200, onLate: () => late++ });
  writer.write('here');
  standStill(400);
  await until(() => read === 1);
  await turn();
  expect(late).toBe(0);

  standStill(400);
  await until(() => late === 1);
  reader.destroy();
  writer.destroy();
  server.close();
});
