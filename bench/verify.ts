import { setTimeout as delay } from 'node:timers/promises';
import { get } from './get.ts';
import { ObjectBytes, objectTarget, readTarget, type Workload, workloads } from './objects.ts';
import type { Origin } from './origin-process.ts';
import { type Running, until } from './rig.ts';
import type { Server } from './servers/server.ts';

const readyTimeoutMs = 20_000;
const warmAttemptsMax = 40;
const hitsChecked = 3;

/** Resolves when something answers HTTP there. */
export async function answers(url: string, running: Running): Promise<void> {
  const check = () => get(url + objectTarget(1, 'ready'));
  await until(check, { what: url, timeoutMs: readyTimeoutMs, running });
}

/**
 * Has the server keep the object, and makes sure that it then answers from its cache: by what its fields say, by the
 * bytes, and by the origin not being asked. Resolves to the cipher suite. Rejects for a server that would not hit.
 */
export async function verifyHits(
  server: Server,
  about: { readonly origin: Origin; readonly url: string; readonly workload: Workload },
): Promise<string | undefined> {
  const { origin, url, workload } = about;
  await warm(server, { url, workload });
  const before = await origin.count();
  let cipher: string | undefined;
  for (let i = 0; i < hitsChecked; i++) {
    const got = await get(url, workload.range);
    cipher = got.cipher;
    if (!server.isHit(got.fields)) throw new Error(`${server.name} did not hit: ${[...got.fields].join('; ')}`);
    checkBody(got, { url, workload });
  }
  const asked = (await origin.count()).requests - before.requests;
  if (asked > 0) throw new Error(`${server.name} says it hit, and asked the origin ${asked} times`);
  return cipher;
}

async function warm(server: Server, { url, workload }: { url: string; workload: Workload }): Promise<void> {
  for (let i = 0; i < warmAttemptsMax; i++) {
    await get(url);
    const { fields } = await get(url, workload.range);
    if (server.isHit(fields)) return;
    await delay(100);
  }
}

// The pattern is the same in every process; made once, as it takes a while.
const objects = new ObjectBytes(Math.max(...workloads.map(({ objectBytes }) => objectBytes)));

function checkBody(
  got: { status: number; body: Buffer },
  { url, workload }: { url: string; workload: Workload },
): void {
  const { range, objectBytes } = workload;
  const { first, last } = range ?? { first: 0, last: objectBytes - 1 };
  const name = readTarget(new URL(url).pathname)?.name ?? '';
  const status = range === undefined ? 200 : 206;
  if (got.status !== status) throw new Error(`${url} was answered with ${got.status}: must be ${status}`);
  if (!got.body.equals(objects.slice(name, first, last))) throw new Error(`${url} has other bytes than the origin's`);
}
