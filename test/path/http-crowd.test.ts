import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { acceptTogether } from '../../src/http/socket/accept-together.ts';
import { bodies, openPlain, plain, post } from '../support/lean-viewers.ts';
import { RawConnection } from '../support/raw-http.ts';
import type { TestViewers } from '../support/viewers.ts';

const crowd = 200;
let open: TestViewers | undefined;
let sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await open?.viewers.close();
  [open, sockets] = [undefined, []];
});

/** Connections that wait to be accepted: loopback has them connected before the next turn of the event loop. */
function comeTogether(url: string, count: number): void {
  const { hostname, port } = new URL(url);
  for (let i = 0; i < count; i++) sockets.push(connect({ host: hostname, port: Number(port) }));
  for (const socket of sockets) socket.on('error', () => {});
}

/** How many turns of the event loop it takes until that is so. */
async function turnsUntil(done: () => boolean): Promise<number> {
  for (let turns = 0; turns < 10_000; turns++) {
    if (done()) return turns;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('it never is');
}

describe.runIf(process.platform === 'linux')('a crowd that comes at once', () => {
  it('is taken in a few turns of the event loop', async () => {
    open = await openPlain();
    const { viewers } = open;
    comeTogether(open.url, crowd);
    expect(await turnsUntil(() => viewers.connections() === crowd)).toBeLessThan(crowd / 5);
  });

  it('is answered, by both fronts', async () => {
    open = await openPlain();
    comeTogether(open.url, crowd);
    const all = sockets.map((socket) => new RawConnection(socket));
    for (const [i, each] of all.entries()) each.send(i % 2 === 0 ? plain : post);
    for (const [i, each] of all.entries()) expect(await bodies(each, 1)).toEqual([i % 2 === 0 ? 'small' : 'hi']);
  });

  it('is let in as far as there is room', async () => {
    open = await openPlain({ connectionsMax: 30 });
    const { viewers } = open;
    comeTogether(open.url, crowd);
    let closed = 0;
    for (const socket of sockets) socket.once('close', () => closed++);
    await expect.poll(() => closed).toBe(crowd - 30);
    expect(viewers.connections()).toBe(30);
  });
});

describe('a server that closes while it takes a crowd', () => {
  it('takes no more', async () => {
    const server: Server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    acceptTogether(server);
    const { port } = server.address() as { port: number };
    const taken: Socket[] = [];
    server.on('connection', (socket) => {
      taken.push(socket);
      socket.on('error', () => {});
      if (taken.length === 3) server.close();
    });
    comeTogether(`http://127.0.0.1:${port}`, 20);
    await expect.poll(() => taken.length).toBe(3);
    for (const socket of taken) socket.destroy();
    await once(server, 'close');
    expect(taken.length).toBe(3);
  });
});
