import type { RequestListener } from 'node:http';
import { expect, test } from 'vitest';
import { Fields } from '../../src/fields.ts';
import { assertPattern, resourceSeed, startOrigin } from '../support/origin.ts';
import { ask, errorOf, kept, readAll, supplierFor } from '../support/origin-supplier.ts';

function redirect(location: string, status = 302): RequestListener {
  return (_, response) => {
    response.writeHead(status, { Location: location, 'Content-Length': '5' }).end('moved');
  };
}

const other = async () => kept(await startOrigin({ '/v': { length: 1000 } }));

test.each([301, 302, 303, 307, 308])('%i to a configured host is followed', async (status) => {
  const target = await other();
  const origin = kept(await startOrigin({ '/a': redirect(`${target.url}/v?q=1`, status) }));
  const supplier = kept(supplierFor({ upstreams: [origin.url], redirectHosts: [new URL(target.url).host] }));
  const supply = await ask(supplier, '/a');
  expect([supply.status, (await readAll(supply)).length]).toEqual([200, 1000]);
  expect(target.requests[0]).toMatchObject({ method: 'GET', target: '/v?q=1' });
});

test('credentials and cookies stay with the configured origin, the rest goes along', async () => {
  const target = await other();
  const origin = kept(await startOrigin({ '/a': redirect(`${target.url}/v`) }));
  const supplier = kept(
    supplierFor({
      upstreams: [origin.url],
      redirectHosts: [new URL(target.url).host],
      fieldsAdded: { 'X-Api-Key': 'secret' },
      hostField: 'video.example',
    }),
  );
  const fields = Fields.of({ Authorization: 'viewer', Cookie: 'a=1', Range: 'bytes=0-9' });
  const supply = await ask(supplier, '/a', { fields });
  expect([supply.status, (await readAll(supply)).length]).toEqual([206, 10]);
  const [first, second] = [origin, target].map(({ requests }) => requests[0]?.rawHeaders.join('|') ?? '');
  expect(first).toContain('X-Api-Key|secret');
  expect(first).toContain('Authorization|viewer');
  expect(first).toContain('host|video.example');
  expect(second).not.toMatch(/secret|viewer|Cookie|video\.example/);
  expect(second).toContain(`host|${new URL(target.url).host}`);
});

test.each([
  ['another host', (url: string) => `${url}/v`],
  ['another host without scheme', (url: string) => `${url.slice('http:'.length)}/v`],
  ['a host that only looks like it', (url: string) => `http://allowed.example@${new URL(url).host}/v`],
  ['another scheme', () => 'file:///etc/passwd'],
  ['nonsense', () => 'http://[::'],
])('a redirect to %s is passed on as it came', async (_, location) => {
  const target = await other();
  const origin = kept(await startOrigin({ '/a': redirect(location(target.url)) }));
  const upstream = { upstreams: [origin.url], redirectHosts: ['allowed.example'] };
  const supply = await ask(kept(supplierFor(upstream)), '/a');
  expect([supply.status, supply.fields.get('location')]).toEqual([302, location(target.url)]);
  expect((await readAll(supply)).toString()).toBe('moved');
  expect(target.count()).toBe(0);
});

test('a target that starts with // does not become the host of a relative redirect', async () => {
  const target = await other();
  const origin = kept(await startOrigin(redirect('v', 302)));
  const supplier = kept(supplierFor({ upstreams: [origin.url], redirectHosts: [new URL(origin.url).host] }));
  const supply = await ask(supplier, `//${new URL(target.url).host}/a`);
  expect(supply.status).toBe(302);
  expect(target.count()).toBe(0);
});

test('userinfo in Location is not followed, even to a configured host', async () => {
  const target = await other();
  const { host } = new URL(target.url);
  const origin = kept(await startOrigin({ '/a': redirect(`http://user:pass@${host}/v`) }));
  const supplier = kept(supplierFor({ upstreams: [origin.url], redirectHosts: [host] }));
  expect((await ask(supplier, '/a')).status).toBe(302);
  expect(target.count()).toBe(0);
});

test('a redirect within the upstream is passed on, unless told otherwise', async () => {
  const origin = kept(await startOrigin({ '/a': redirect('/v'), '/v': { length: 10 } }));
  const upstreams = [origin.url];
  expect((await ask(kept(supplierFor({ upstreams })), '/a')).status).toBe(302);
  expect((await ask(kept(supplierFor({ upstreams, redirectHosts: ['x.example'] })), '/a')).status).toBe(302);
  const followed = await ask(kept(supplierFor({ upstreams, redirectHosts: [new URL(origin.url).host] })), '/a');
  expect([followed.status, (await readAll(followed)).length]).toEqual([200, 10]);
});

test('only GET and HEAD are redirected, and not for ever', async () => {
  const origin = kept(await startOrigin({ '/a': redirect('/a') }));
  const supplier = kept(supplierFor({ upstreams: [origin.url], redirectHosts: [new URL(origin.url).host] }));
  expect((await ask(supplier, '/a', { method: 'POST' })).status).toBe(302);
  expect(origin.count()).toBe(1);
  const supply = await ask(supplier, '/a', { method: 'HEAD' });
  expect([supply.status, origin.count()]).toEqual([302, 7]);
});

test('a redirected body is resumed where it was redirected to', async () => {
  const target = kept(await startOrigin({ '/v': { length: 300_000, cutAfterBytes: 200_000 } }));
  const origin = kept(await startOrigin({ '/a': redirect(`${target.url}/v`) }));
  const supplier = kept(supplierFor({ upstreams: [origin.url], redirectHosts: [new URL(target.url).host] }));
  const body = await readAll(await ask(supplier, '/a'));
  expect(body.length).toBe(300_000);
  assertPattern(body, resourceSeed('/v'), 0);
  expect([origin.count(), target.count()]).toEqual([1, 2]);
});

test('a redirect target that cannot be reached is an error of the origin', async () => {
  const gone = await startOrigin({});
  const { url } = gone;
  await gone.close();
  const origin = kept(await startOrigin({ '/a': redirect(`${url}/v`) }));
  const supplier = kept(supplierFor({ upstreams: [origin.url], redirectHosts: [new URL(url).host] }));
  expect(await errorOf(ask(supplier, '/a'))).toMatchObject({ code: 'origin-refused', side: 'upstream' });
});
