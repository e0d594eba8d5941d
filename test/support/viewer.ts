import type { Agent, IncomingHttpHeaders } from 'node:http';
import { request } from 'node:http';

export interface Viewed {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** From the request to the first body byte. */
  readonly firstByteMs: number;
}

export interface ViewOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly agent?: Agent;
  /** Leaves, with a reset, once this many body bytes came. */
  readonly leaveAfterBytes?: number;
  /** Takes a rest after each chunk. */
  readonly pauseMs?: number;
}

/** One request as a viewer makes it, on a connection of its own unless an agent is given. Rejects when cut off. */
export function view(url: string, options: ViewOptions = {}): Promise<Viewed> {
  const { method = 'GET', headers = {}, agent, leaveAfterBytes = Infinity, pauseMs } = options;
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent: agent ?? false }, (response) => {
      const chunks: Buffer[] = [];
      let [firstByteMs, total] = [0, 0];
      response.on('data', (chunk: Buffer) => {
        if (total === 0) firstByteMs = performance.now() - started;
        chunks.push(chunk);
        total += chunk.length;
        if (total >= leaveAfterBytes) outgoing.destroy();
        if (pauseMs !== undefined) {
          response.pause();
          setTimeout(() => response.resume(), pauseMs);
        }
      });
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode: status = 0, headers: fields } = response;
        resolve({ status, headers: fields, body: Buffer.concat(chunks), firstByteMs });
      });
    });
    outgoing.setTimeout(20_000, () => outgoing.destroy(new Error(`no answer from ${url}`)));
    outgoing.on('error', reject);
    outgoing.end();
  });
}
