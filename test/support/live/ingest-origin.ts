import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const filesMax = 2_000;

/** A file that is, or was, put here. Readers follow it while it grows. */
class Upload {
  readonly #chunks: Buffer[] = [];
  #ended = false;
  #more = Promise.withResolvers<void>();

  get ended(): boolean {
    return this.#ended;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  whole(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  async *follow(): AsyncGenerator<Buffer> {
    for (let i = 0; ; i++) {
      while (i >= this.#chunks.length) {
        if (this.#ended) return;
        await this.#more.promise;
      }
      const chunk = this.#chunks[i];
      if (chunk !== undefined) yield chunk;
    }
  }

  #wake(): void {
    this.#more.resolve();
    this.#more = Promise.withResolvers<void>();
  }
}

const types: Readonly<Record<string, string>> = {
  m3u8: 'application/vnd.apple.mpegurl',
  mpd: 'application/dash+xml',
  m4s: 'video/mp4',
  mp4: 'video/mp4',
  ts: 'video/mp2t',
};

/**
 * An origin that an encoder puts its files into (PUT, DELETE) as it makes them, and players get them from. A segment is
 * given out while it is still coming; a manifest is replaced once it is whole. `/time` is the time.
 */
export class IngestOrigin {
  /** By path. */
  readonly #files = new Map<string, Upload>();
  readonly #server: Server;
  readonly #arrivals = new Map<string, PromiseWithResolvers<void>>();

  constructor() {
    this.#server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      this.#receive(request, response).catch(() => response.destroy());
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async open(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) file.end();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Resolves once the file has been put here whole. */
  async has(path: string): Promise<void> {
    if (this.#files.get(path)?.ended === true) return;
    const arrival = this.#arrivals.get(path) ?? Promise.withResolvers<void>();
    this.#arrivals.set(path, arrival);
    await arrival.promise;
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    response.setHeader('Access-Control-Allow-Origin', '*');
    if (request.method === 'PUT' || request.method === 'POST') {
      await this.#put(path, request);
      response.writeHead(201).end();
    } else if (request.method === 'DELETE') {
      this.#files.delete(path);
      response.writeHead(204).end();
    } else if (path === '/time') {
      response.writeHead(200, { 'Cache-Control': 'no-store' }).end(new Date().toISOString());
    } else await this.#give(path, response);
  }

  async #put(path: string, request: IncomingMessage): Promise<void> {
    const upload = new Upload();
    const isManifest = /\.(m3u8|mpd)$/.test(path);
    if (!isManifest) this.#files.set(path, upload);
    for await (const chunk of request) upload.add(chunk as Buffer);
    upload.end();
    this.#files.set(path, upload);
    for (const oldest of this.#files.keys()) if (this.#files.size > filesMax) this.#files.delete(oldest);
    this.#arrivals.get(path)?.resolve();
  }

  async #give(path: string, response: ServerResponse): Promise<void> {
    const upload = this.#files.get(path);
    if (upload === undefined) {
      response.writeHead(404, { 'Cache-Control': 'no-store', 'Content-Length': 0 }).end();
      return;
    }
    const extension = path.slice(path.lastIndexOf('.') + 1);
    const lifetime = /\.(m3u8|mpd)$/.test(path) ? 'max-age=1' : 'max-age=3600';
    const fields = { 'Content-Type': types[extension] ?? 'application/octet-stream', 'Cache-Control': lifetime };
    if (upload.ended) {
      const bytes = upload.whole();
      response.writeHead(200, { ...fields, 'Content-Length': bytes.length }).end(bytes);
      return;
    }
    response.writeHead(200, fields);
    response.flushHeaders();
    for await (const chunk of upload.follow()) if (!response.write(chunk)) await once(response, 'drain');
    response.end();
  }
}
