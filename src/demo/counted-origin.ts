import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startSampleOrigin } from '../sample/origin.ts';

/** The built-in sample (VOD, and a live channel) behind a door that counts what leaves it. */
export class CountedOrigin {
  requests = 0;
  bodyBytes = 0;
  readonly #server: Server;
  readonly #sample: { readonly url: string; close(): Promise<void> };

  private constructor(server: Server, sample: { readonly url: string; close(): Promise<void> }) {
    this.#server = server;
    this.#sample = sample;
  }

  /** `status`: what the sample's page shows of a node. */
  static async start(status: () => unknown): Promise<CountedOrigin> {
    const sample = await startSampleOrigin({ status });
    const server = createServer();
    const origin = new CountedOrigin(server, sample);
    server.on('request', (asked, answer) => {
      const { method, headers, url: path } = asked;
      origin.requests++;
      const passed = request(sample.url + path, { method, headers }, (response) => {
        answer.writeHead(response.statusCode ?? 502, response.rawHeaders);
        response.on('data', (chunk: Buffer) => {
          origin.bodyBytes += chunk.length;
        });
        response.on('error', () => answer.destroy());
        response.pipe(answer);
      });
      passed.on('error', () => answer.destroy());
      asked.pipe(passed);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return origin;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await this.#sample.close();
  }
}
