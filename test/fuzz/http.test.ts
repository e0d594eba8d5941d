import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { chunksOf, FakeContent, passed, patternBytes } from '../support/fake-cache.ts';
import { fuzzCount, fuzzSeed } from '../support/fuzz.ts';
import { malformedInputs, smuggledPath } from '../support/http-inputs.ts';
import { RawConnection } from '../support/raw-http.ts';
import { openViewers, type TestViewers } from '../support/viewers.ts';

const count = fuzzCount(10_000);
const concurrent = 100;
let test: TestViewers;
let smuggled = 0;

beforeAll(async () => {
  test = await openViewers({
    limits: {
      headTimeoutMs: 300,
      requestTimeoutMs: 600,
      keepAliveTimeoutMs: 100,
      stallTimeoutMs: 1000,
      bodyBytesMax: 10_000,
    },
  });
  test.cache.store('/ram', new FakeContent(patternBytes(100_000)), { fields: { ETag: '"v"' } });
  test.cache.otherwise = async (request) => {
    // A request for this exists only where a part of one message was taken for another message.
    if (request.target === smuggledPath) smuggled++;
    let length = 0;
    for await (const chunk of request.body ?? []) length += chunk.length;
    return passed(200, chunksOf(`${length} bytes`));
  };
});
afterAll(() => test.viewers.close());

/** Statuses a malformed request may get; 2xx and 304 where it was not malformed after all. */
function isRight(status: number): boolean {
  return [100, 200, 204, 206, 304, 501, 505].includes(status) || (status >= 400 && status < 500);
}

/** Sends one input on a connection of its own; what came back up to the end of the connection, which must come. */
async function attack(input: string, patient: boolean): Promise<readonly number[]> {
  const connection = await RawConnection.open(test.url);
  const deadline = setTimeout(() => connection.socket.destroy(new Error('deadline')), 5000);
  let late = false;
  connection.socket.once('error', (error) => {
    late = error.message === 'deadline';
  });
  connection.send(input);
  if (patient) connection.socket.once('data', () => connection.socket.end());
  else connection.socket.end();
  const statuses: number[] = [];
  for (;;) {
    const response = await connection.response().catch(unlessReset);
    if (response === undefined) break;
    statuses.push(response.status);
  }
  clearTimeout(deadline);
  connection.destroy();
  if (late) throw new Error('the connection neither answered nor ended');
  return statuses;
}

/** A response cut by a reset is a closed connection; anything else that is no response is a finding. */
function unlessReset(error: Error): undefined {
  if (/^not a response: "(HTTP\/1\.1 [^"]*)?"$/.test(error.message)) return undefined;
  throw error;
}

it(`survives ${count} malformed inputs, each answered or closed, with no effect on others`, {
  timeout: 120_000,
}, async () => {
  console.log(`http fuzz: EDDY_FUZZ_SEED=${fuzzSeed} EDDY_FUZZ_COUNT=${count}`);
  const inputs = fc.sample(malformedInputs, { seed: fuzzSeed, numRuns: count });
  const seen = new Map<number | 'closed', number>();
  const findings: string[] = [];
  let next = 0;
  const probe = await RawConnection.open(test.url);
  const worker = async () => {
    for (let i = next++; i < inputs.length && findings.length < 5; i = next++) {
      const input = inputs[i] ?? '';
      try {
        const statuses = await attack(input, i % 10 < 3);
        for (const status of statuses.length === 0 ? (['closed'] as const) : statuses) {
          seen.set(status, (seen.get(status) ?? 0) + 1);
        }
        if (!statuses.every(isRight)) throw new Error(`status ${statuses.join(', ')}`);
      } catch (error) {
        findings.push(`#${i} ${String(error)} for ${JSON.stringify(input.slice(0, 500))}`);
      }
    }
  };
  const workers = Promise.all(Array.from({ length: concurrent }, worker));
  let probes = 0;
  const probing = (async () => {
    while (next < inputs.length && findings.length < 5) {
      probe.send('GET /ram HTTP/1.1\r\nHost: probe\r\nRange: bytes=5-9\r\n\r\n');
      const response = await probe.response();
      if (response?.body.equals(patternBytes(10).subarray(5)) !== true) findings.push('a probe was not answered');
      probes++;
      await new Promise(setImmediate);
    }
  })();
  await Promise.all([workers, probing]);
  probe.destroy();
  expect(findings).toEqual([]);
  expect(smuggled).toBe(0);
  expect(probes).toBeGreaterThan(10);
  console.log(`http fuzz: ${JSON.stringify(Object.fromEntries(seen))}, ${probes} probes`);
  // The generator is only worth something while it gets past the parser and into each refusal.
  for (const status of [200, 206, 400, 414, 416, 431, 501, 505]) expect(seen.get(status) ?? 0).toBeGreaterThan(0);
  expect(test.logged.filter((line) => line.includes('failed'))).toEqual([]);
});
