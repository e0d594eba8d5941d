import { chunksOf, FakeContent, passed } from './fake-cache.ts';
import type { RawConnection } from './raw-http.ts';
import { openViewers, type TestViewers, type ViewersChanges } from './viewers.ts';

/** A request that the lean front takes, and one that it leaves to node:http. */
export const plain = 'GET /small HTTP/1.1\r\nHost: a\r\n\r\n';
export const post = 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi';

/** A listener with `/small` in RAM, and `/echo`. */
export async function openPlain(limits = {}, listen: ViewersChanges = {}): Promise<TestViewers> {
  const test = await openViewers({ limits, ...listen });
  test.cache.store('/small', new FakeContent(Buffer.from('small')), { fields: { ETag: '"s"' } });
  test.cache.on('/echo', async (request) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request.body ?? []) chunks.push(Buffer.from(chunk));
    return passed(200, chunksOf(...chunks));
  });
  return test;
}

/** A path that is answered, with itself, once the gate opens. */
export function gated({ cache }: TestViewers, path: string): PromiseWithResolvers<void> {
  const gate = Promise.withResolvers<void>();
  cache.on(path, async () => {
    await gate.promise;
    return passed(200, chunksOf(path));
  });
  return gate;
}

/** The contents of the next responses. */
export async function bodies(connection: RawConnection, count: number): Promise<(string | undefined)[]> {
  const all: (string | undefined)[] = [];
  for (let i = 0; i < count; i++) all.push((await connection.response())?.body.toString());
  return all;
}
