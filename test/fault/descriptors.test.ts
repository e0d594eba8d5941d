import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { type Eddy, startEddy } from '../support/eddy.ts';
import { soon } from '../support/until.ts';

const descriptors = 200;
let eddy: Eddy | undefined;
const viewers: Socket[] = [];

afterEach(async () => {
  for (const viewer of viewers.splice(0)) viewer.destroy();
  await eddy?.stop();
});

it('turns viewers away before its last file descriptors, and keeps those for all else', async () => {
  eddy = await startEddy(['--ram', '16MiB', '--disk', '16MiB'], {
    within: ['prlimit', `--nofile=${descriptors}:${descriptors}`],
  });
  const bounded = eddy.stdoutLines.map((line) => JSON.parse(line)).find(({ connectionsMax }) => connectionsMax);
  expect(bounded).toMatchObject({ connectionsMax: descriptors / 2, configured: 65_536, descriptorsMax: descriptors });

  const { port, host } = new URL(eddy.http);
  const first = viewer(port);
  await once(first, 'connect');
  const others = Array.from({ length: 2 * descriptors }, () => viewer(port));
  await soon(() => expect(others.filter((each) => each.closed).length).toBe(2 * descriptors + 1 - descriptors / 2));
  expect((await fetch(`${eddy.admin}/healthz`)).status).toBe(200);
  expect((await fetch(`${eddy.admin}/readyz`)).status).toBe(200);
  first.write(`GET /vod/hls-ts/high/00.ts HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const [head] = (await once(first, 'data')) as [Buffer];
  expect(head.toString('latin1')).toMatch(/^HTTP\/1\.1 200 .*detail=origin/s);

  for (const each of viewers) each.destroy();
  await soon(async () => expect((await fetch(`${eddy?.http}/vod/hls-ts/high/00.ts`)).status).toBe(200));
});

function viewer(port: string): Socket {
  const socket = connect(Number(port), '127.0.0.1').on('error', () => {});
  viewers.push(socket);
  return socket;
}
