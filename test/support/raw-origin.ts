import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface RawOrigin {
  readonly url: string;
  /** What came on each connection, latin1. */
  readonly received: string[];
  readonly sockets: Socket[];
  close(): Promise<void>;
}

/** An origin that writes what it is told once something arrives, whether or not it is HTTP. */
export async function startRawOrigin(respond: string | ((socket: Socket, text: string) => void)): Promise<RawOrigin> {
  const received: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const index = sockets.push(socket) - 1;
    received[index] = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received[index] += chunk.toString('latin1');
      if (typeof respond === 'string') socket.end(Buffer.from(respond, 'latin1'));
      else respond(socket, received[index] ?? '');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    sockets,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
