/**
 * How fast Node can go from the page cache into a socket: `raw-server.ts PORT DIRECTORY`. It reads files that the bench
 * wrote, in pieces as large as a cache would store, into buffers it keeps, and does nothing else that a cache must do.
 */
import { openSync, readSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { objectTarget, readTarget } from './objects.ts';

const pieceBytes = 256 * 1024;
/** One is read while the other is being sent. */
const buffersPerConnection = 2;

class RawServer {
  readonly #directory: string;
  readonly #files = new Map<string, number>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  listen(port: number): void {
    createServer({ noDelay: true }, (socket) => {
      const buffers = Array.from({ length: buffersPerConnection }, () => Buffer.allocUnsafe(pieceBytes));
      let waiting = '';
      socket.on('error', () => socket.destroy());
      socket.on('data', (chunk) => {
        waiting += chunk.toString('latin1');
        const end = waiting.indexOf('\r\n\r\n');
        if (end === -1) return;
        const target = waiting.slice(0, end).split(' ', 2)[1] ?? '';
        waiting = waiting.slice(end + 4);
        this.#answer(socket, { target, buffers });
      });
    }).listen(port, '127.0.0.1', 4096);
  }

  #answer(socket: Socket, { target, buffers }: { target: string; buffers: readonly Buffer[] }): void {
    const object = readTarget(target);
    if (object === undefined) return void socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    const file = this.#open(objectTarget(object.bytes, object.name));
    const fields = 'Content-Type: video/mp4\r\nCache-Control: public, max-age=86400\r\nX-Cache: HIT\r\n';
    socket.cork();
    socket.write(`HTTP/1.1 200 OK\r\n${fields}Content-Length: ${object.bytes}\r\n\r\n`);
    let at = 0;
    const send = (buffer: Buffer) => {
      if (at >= object.bytes || socket.destroyed) return;
      const size = readSync(file, buffer, 0, Math.min(pieceBytes, object.bytes - at), at);
      at += size;
      socket.write(buffer.subarray(0, size), () => send(buffer));
    };
    for (const buffer of buffers) send(buffer);
    socket.uncork();
  }

  #open(target: string): number {
    const name = target.replaceAll('/', '_');
    const file = this.#files.get(name) ?? openSync(join(this.#directory, name), 'r');
    this.#files.set(name, file);
    return file;
  }
}

new RawServer(process.argv[3] ?? '.').listen(Number(process.argv[2] ?? 0));
