import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Admin, type AdminOptions, startAdmin } from '../../src/http/admin/admin.ts';
import { createMetrics } from '../../src/metrics.ts';

const metrics = createMetrics({ version: '0.0.0' });
const running: Admin[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((admin) => admin.close()));
});

async function start(options: Partial<AdminOptions> = {}): Promise<string> {
  const admin = await startAdmin({
    listen: { host: '127.0.0.1', port: 0 },
    metrics,
    status: () => ({ version: '0.0.0', ready: true }),
    peers: () => ({ peers: [] }),
    streams: () => ({ streams: [] }),
    readiness: () => ({ ready: true, reasons: [] }),
    purge: async () => 0,
    log: { info: () => {}, error: () => {} },
    ...options,
  });
  running.push(admin);
  return admin.url;
}

function post(url: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${url}/api/purge`, { method: 'POST', body, headers });
}

/** A request with fields that fetch does not let one set. */
function statusWith(url: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('error', reject).end();
  });
}

describe('the admin listener', () => {
  it('answers its endpoints', async () => {
    const url = await start();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(await (await fetch(`${url}/api/status`)).json()).toEqual({ version: '0.0.0', ready: true });
    expect(await (await fetch(`${url}/api/peers`)).json()).toEqual({ peers: [] });
    expect(await (await fetch(`${url}/api/streams`)).json()).toEqual({ streams: [] });
    const text = await fetch(`${url}/metrics`);
    expect(text.headers.get('Content-Type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await text.text()).toContain('eddy_client_requests_total');
    const head = await fetch(`${url}/api/status`, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.headers.get('Cache-Control')).toBe('no-store');
  });

  it('says whether the node is ready, and why not', async () => {
    let reasons = ['draining'];
    const url = await start({ readiness: () => ({ ready: reasons.length === 0, reasons }) });
    const not = await fetch(`${url}/readyz`);
    expect(not.status).toBe(503);
    expect(await not.json()).toEqual({ ready: false, reasons: ['draining'] });
    reasons = [];
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('tells unknown paths from wrong methods', async () => {
    const url = await start();
    expect((await fetch(`${url}/api/nothing`)).status).toBe(404);
    const deleted = await fetch(`${url}/api/status`, { method: 'DELETE' });
    expect(deleted.status).toBe(405);
    expect(deleted.headers.get('Allow')).toBe('GET, HEAD');
    const got = await fetch(`${url}/api/purge`);
    expect(got.status).toBe(405);
    expect(got.headers.get('Allow')).toBe('POST');
  });

  it('shows the console without inline code or foreign sources', async () => {
    const url = await start();
    const page = await fetch(url);
    expect(page.headers.get('Content-Type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('Content-Security-Policy')).toContain("default-src 'self'");
    const html = await page.text();
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)| style=| on[a-z]+=|https?:/);
    const parts = [...html.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map(([, path]) => path);
    expect(parts).toContain('/console.js');
    for (const path of parts) expect((await fetch(`${url}${path}`)).status).toBe(200);
  });

  it('answers 500 and lives on when a part of it throws', async () => {
    const errors: unknown[] = [];
    const url = await start({
      status: () => {
        throw new Error('no status');
      },
      log: { info: () => {}, error: (about) => errors.push(about) },
    });
    const answer = await fetch(`${url}/api/status`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('no status');
    expect(errors).toHaveLength(1);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('closes although connections are kept open', async () => {
    const url = await start();
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    const ended = new Promise((resolve) => socket.on('close', resolve).on('error', () => {}));
    await new Promise((resolve) => socket.on('connect', resolve));
    await running.pop()?.close();
    await ended;
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });
});

describe('a purge', () => {
  it.each([
    ['{"url":"/a.ts?x=1"}', { url: '/a.ts?x=1' }],
    ['{"url":"http://edge.example/a.ts"}', { url: 'http://edge.example/a.ts' }],
    ['{"prefix":"/vod/"}', { prefix: '/vod/' }],
    ['{"tag":"movie 1"}', { tag: 'movie 1' }],
    ['{"all":true}', 'all'],
  ])('%s names what to drop', async (body, expected) => {
    const asked: unknown[] = [];
    const url = await start({
      purge: async (which) => {
        asked.push(which);
        return 7;
      },
    });
    const answer = await post(url, body, { 'Content-Type': 'application/json' });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ purged: 7 });
    expect(asked).toEqual([expected]);
  });

  it('is counted', async () => {
    const url = await start({ purge: async () => 3 });
    const [kinds, responses] = [metrics.purges.tag.value, metrics.purgedResponses.value];
    await post(url, '{"tag":"a"}');
    expect([metrics.purges.tag.value, metrics.purgedResponses.value]).toEqual([kinds + 1, responses + 3]);
  });

  it.each([
    ['', 'is not JSON'],
    ['{', 'is not JSON'],
    ['[]', 'is not an object'],
    ['null', 'is not an object'],
    ['"all"', 'is not an object'],
    ['{}', 'has 0 members'],
    ['{"url":"/a","tag":"b"}', 'has 2 members'],
    ['{"all":false}', 'all is false: must be true'],
    ['{"url":""}', 'url is "": must be a path'],
    ['{"url":"a b"}', 'url is "a b"'],
    ['{"prefix":"vod"}', 'prefix is "vod"'],
    ['{"prefix":["/"]}', 'prefix is ["/"]'],
    ['{"tag":"a,b"}', 'tag is "a,b"'],
    ['{"tag":3}', 'tag is 3'],
    ['{"everything":true}', '"everything" is not a member'],
    ['{"__proto__":true}', '"__proto__" is not a member'],
  ])('%s is refused, and says why', async (body, why) => {
    const url = await start({ purge: () => Promise.reject(new Error('must not be reached')) });
    const answer = await post(url, body);
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { error: string }).error).toContain(why);
  });

  it('is bounded', async () => {
    const url = await start();
    expect((await post(url, JSON.stringify({ url: `/${'x'.repeat(70_000)}` }))).status).toBe(413);
    const chunked = new ReadableStream({
      start: (controller) => {
        for (let i = 0; i < 100; i++) controller.enqueue(new Uint8Array(1024).fill(32));
        controller.close();
      },
    });
    const answer = await fetch(`${url}/api/purge`, { method: 'POST', body: chunked, duplex: 'half' } as RequestInit);
    expect(answer.status).toBe(413);
  });
});

describe('without a token', () => {
  it('only names of this machine are answered, so that no page can rebind its own name to it', async () => {
    const url = await start();
    const { port } = new URL(url);
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, 'LOCALHOST', 'eddy.localhost']) {
      expect([host, await statusWith(`${url}/api/status`, { host })]).toEqual([host, 200]);
    }
    for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example', '[fe80::1]']) {
      expect([host, await statusWith(`${url}/api/status`, { host })]).toEqual([host, 403]);
      expect([host, await statusWith(`${url}/healthz`, { host })]).toEqual([host, 200]);
    }
  });

  it('pages of other sites are refused', async () => {
    const asked: unknown[] = [];
    const purge: AdminOptions['purge'] = async (which) => asked.push(which);
    const url = await start({ purge });
    const all = '{"all":true}';
    for (const origin of ['http://evil.example', 'http://localhost:1', 'null', 'nonsense']) {
      expect((await post(url, all, { Origin: origin })).status).toBe(403);
    }
    expect((await post(url, all, { 'Sec-Fetch-Site': 'cross-site' })).status).toBe(403);
    expect(asked).toEqual([]);
    expect((await post(url, all, { Origin: url, 'Sec-Fetch-Site': 'same-origin' })).status).toBe(200);
  });
});

describe('with a token', () => {
  const options = { token: 'hunter2', readiness: () => ({ ready: false, reasons: ['disk is full'] }) };

  it('only who has it may look and purge, from wherever', async () => {
    const url = await start(options);
    for (const path of ['/api/status', '/api/peers', '/api/streams', '/metrics']) {
      const answer = await fetch(`${url}${path}`);
      expect([path, answer.status]).toEqual([path, 401]);
      expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Bearer/);
      const headers = { authorization: 'Bearer hunter2', host: 'edge.example' };
      expect([path, await statusWith(`${url}${path}`, headers)]).toEqual([path, 200]);
    }
    for (const authorization of ['Bearer hunter', 'Bearer hunter22', 'Bearer', 'Basic hunter2', 'hunter2', 'Bearer ']) {
      expect((await post(url, '{"all":true}', { authorization })).status).toBe(401);
    }
    expect((await post(url, '{"all":true}', { authorization: 'Bearer hunter2' })).status).toBe(200);
  });

  it('health is for everybody, its reasons are not', async () => {
    const url = await start(options);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(await (await fetch(`${url}/readyz`)).json()).toEqual({ ready: false });
    const told = await fetch(`${url}/readyz`, { headers: { authorization: 'Bearer hunter2' } });
    expect(told.status).toBe(503);
    expect(await told.json()).toEqual({ ready: false, reasons: ['disk is full'] });
  });
});
