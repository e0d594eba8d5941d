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

it('outlasts more viewers than it may have file descriptors', async () => {
  eddy = await startEddy(['--ram', '16MiB', '--disk', '16MiB'], {
    within: ['prlimit', `--nofile=${descriptors}:${descriptors}`],
  });
  const { port } = new URL(eddy.http);
  for (let i = 0; i < 2 * descriptors; i++) viewers.push(connect(Number(port), '127.0.0.1').on('error', () => {}));
  await Promise.all(
    viewers.map((viewer) =>
      Promise.race(['connect', 'close'].map((event) => new Promise((met) => viewer.once(event, met)))),
    ),
  );
  // Its own looks at itself come several times a second.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(eddy.process.exitCode).toBeNull();

  for (const viewer of viewers) viewer.destroy();
  await soon(async () => expect((await fetch(`${eddy?.http}/vod/hls-ts/high/00.ts`)).status).toBe(200));
});
