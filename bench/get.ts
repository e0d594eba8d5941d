import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { TLSSocket } from 'node:tls';

export interface Got {
  readonly status: number;
  readonly fields: Headers;
  readonly body: Buffer;
  /** Name of the cipher suite; undefined for HTTP. */
  readonly cipher: string | undefined;
}

const timeoutMs = 20_000;

/** One request on a connection of its own, certificates not checked. */
export function get(url: string, range?: { readonly first: number; readonly last: number }): Promise<Got> {
  const headers = range === undefined ? {} : { Range: `bytes=${range.first}-${range.last}` };
  const request = url.startsWith('https:') ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { agent: false, headers, rejectUnauthorized: false }, (response) => {
      const chunks: Buffer[] = [];
      const cipher = 'getCipher' in response.socket ? (response.socket as TLSSocket).getCipher().name : undefined;
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode: status = 0 } = response;
        resolve({ status, fields: fieldsOf(response.rawHeaders), body: Buffer.concat(chunks), cipher });
      });
    });
    outgoing.setTimeout(timeoutMs, () => outgoing.destroy(new Error(`no answer from ${url} in ${timeoutMs} ms`)));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** The same; rejects when it is not answered with 200. */
export async function getWhole(url: string): Promise<Got> {
  const got = await get(url);
  if (got.status === 200) return got;
  throw new Error(`${url} was answered with ${got.status}: ${got.body.toString('utf8', 0, 300)}`);
}

function fieldsOf(raw: readonly string[]): Headers {
  const fields = new Headers();
  for (let i = 0; i + 1 < raw.length; i += 2) fields.append(raw[i] ?? '', raw[i + 1] ?? '');
  return fields;
}
