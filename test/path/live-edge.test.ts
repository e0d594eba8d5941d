import type { RequestListener, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { Fields } from '../../src/fields.ts';
import { testPolicy } from '../support/edge.ts';
import { liveStage } from '../support/live-stage.ts';
import { ScriptedChannel } from '../support/scripted-channel.ts';
import { until } from '../support/until.ts';
import { view } from '../support/viewer.ts';

/** A channel whose segments are what `media` says: text, or undefined for one that is not there. */
async function stage(
  media: (name: string) => string | undefined,
  { fault }: { fault?: (name: string, response: ServerResponse) => boolean } = {},
) {
  const channel = new ScriptedChannel();
  const answer: RequestListener = (request, response) => {
    const name = request.url?.slice(1) ?? '';
    if (name.startsWith('main.m3u8')) return channel.playlist(request, response);
    if (fault?.(name, response) === true) return;
    const text = media(name);
    if (text === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'Cache-Control': 'max-age=3600' }).end(text);
  };
  const parts = await liveStage(answer);
  return { ...parts, channel, url: `${parts.edge.url}/main.m3u8` };
}

describe('what a playlist newly names', () => {
  it('is fetched once, before a viewer asks', async () => {
    const { channel, edge, origin, url, poll } = await stage((name) => name);
    await view(url);
    await until(() => origin.count('/seg-4.ts') === 1, 'the newest segment being fetched');
    channel.advance();
    await poll();
    await until(() => origin.count('/seg-5.ts') === 1, 'the next segment being fetched');
    for (let i = 0; i < 3; i++) expect((await view(`${edge.url}/seg-5.ts`)).body.toString()).toBe('seg-5.ts');
    expect(origin.count('/seg-5.ts')).toBe(1);
    expect(origin.count('/seg-0.ts')).toBe(0);
  });
});

describe('a segment that no origin has yet', () => {
  it('is waited for, and given to all as soon as it is there', async () => {
    const there = new Set<string>();
    const { clock, edge, origin, url } = await stage((name) => (there.has(name) ? name : undefined));
    await view(url);
    const held = Array.from({ length: 10 }, () => view(`${edge.url}/seg-4.ts`));
    await until(() => origin.count('/seg-4.ts') >= 1, 'the first 404');
    const asked = origin.count('/seg-4.ts');
    await until(() => {
      clock.turn(5);
      return origin.count('/seg-4.ts') > asked + 1;
    }, 'looks that find nothing');
    there.add('seg-4.ts');
    let left = held.length;
    for (const each of held) void each.then(() => left--);
    await until(() => {
      clock.turn(1);
      return left === 0;
    }, 'the segment being given');
    for (const { status, body } of await Promise.all(held))
      expect([status, body.toString()]).toEqual([200, 'seg-4.ts']);
    expect(origin.count('/seg-4.ts')).toBeLessThan(30);
  });

  it('costs one look for all who come while it is looked for', async () => {
    let there = false;
    const fault = (name: string, response: ServerResponse): boolean => {
      if (there || name !== 'seg-4.ts') return false;
      // Nobody may keep that: each would be told for itself.
      response.writeHead(404, { 'Cache-Control': 'no-store' }).end();
      return true;
    };
    const { clock, edge, origin, url } = await stage((name) => name, { fault });
    await view(url);
    await until(() => origin.count('/seg-4.ts') === 1, 'its being fetched ahead');
    const first = view(`${edge.url}/seg-4.ts`);
    await until(() => origin.count('/seg-4.ts') === 2, 'the first 404');
    there = true;
    await until(() => edge.live.holding === 1, 'the first being held');
    const rest = Array.from({ length: 30 }, () => view(`${edge.url}/seg-4.ts`));
    await until(() => edge.live.holding === 31, 'all being held');
    clock.turn(50);
    for (const { status, body } of await Promise.all([first, ...rest]))
      expect([status, body.toString()]).toEqual([200, 'seg-4.ts']);
    expect(origin.count('/seg-4.ts')).toBe(3);
  });

  it('is looked for on behalf of a peer too', async () => {
    let there = false;
    const fault = (name: string, response: ServerResponse): boolean => {
      if (there || name !== 'seg-1.ts') return false;
      response.writeHead(404, { 'Cache-Control': 'no-store' }).end();
      return true;
    };
    const { clock, edge, url } = await stage((name) => name, { fault });
    await view(url);
    const { signal } = new AbortController();
    const like = {
      method: 'GET',
      target: '/seg-1.ts',
      scheme: 'http',
      authority: 'edge',
      fields: Fields.empty,
    } as const;
    const asked = edge.live.answer({ ...like, signal, policy: testPolicy, peersForbidden: true });
    await until(() => edge.live.holding === 1, 'the peer being held');
    there = true;
    clock.turn(50);
    expect((await asked).status).toBe(200);
  });

  it('stays a 404 where no playlist names it, and when it does not come in time', async () => {
    const { clock, edge, url } = await stage(() => undefined);
    await view(url);
    expect((await view(`${edge.url}/seg-99.ts`)).status).toBe(404);
    const held = view(`${edge.url}/seg-4.ts`);
    let status = 0;
    void held.then((viewed) => {
      status = viewed.status;
    });
    await until(() => {
      clock.turn(5);
      return status !== 0;
    }, 'the 404');
    expect(status).toBe(404);
  });
});

describe('a channel that starts anew with the same names', () => {
  it('has the new media under names of their own, and never those of before', async () => {
    let round = 'first';
    const { channel, edge, origin, url, poll } = await stage((name) =>
      Number(/\d+/.exec(name)?.[0]) > channel.last ? undefined : `${round} ${name}`,
    );
    await view(url);
    expect((await view(`${edge.url}/seg-0.ts`)).body.toString()).toBe('first seg-0.ts');
    for (let i = 0; i < 6; i++) channel.advance();
    await poll();
    expect((await view(`${edge.url}/seg-10.ts`)).body.toString()).toBe('first seg-10.ts');
    round = 'second';
    [channel.first, channel.last] = [0, 2];
    for (let i = 0; i < 2; i++) await poll();
    const names = (await view(url)).body.toString().match(/^[^#].*$/gm) ?? [];
    expect(names.at(-1)).toBe('seg-2.ts?_eddy_epoch=11');
    expect(names).toContain('seg-10.ts');
    expect((await view(`${edge.url}/seg-10.ts`)).body.toString()).toBe('first seg-10.ts');
    for (const name of names.filter((each) => each.includes('?')))
      expect((await view(`${edge.url}/${name}`)).body.toString()).toBe(`second ${name.split('?')[0]}`);
    expect(origin.requests.filter(({ target }) => target.includes('epoch'))).toEqual([]);
  });
});

describe('keys', () => {
  it('are passed on for each viewer, and kept nowhere', async () => {
    const { channel, edge, origin, url } = await stage((name) => name);
    channel.lines = ['#EXT-X-KEY:METHOD=AES-128,URI="/secret.key?k=1"'];
    await view(url);
    for (let i = 0; i < 3; i++)
      expect((await view(`${edge.url}/secret.key?k=1`)).body.toString()).toBe('secret.key?k=1');
    expect(origin.count('/secret.key')).toBe(3);
  });
});

describe('an origin that fails now and then', () => {
  it.each([
    ['an error', 500],
    ['a connection cut', 0],
    ['no such thing', 404],
  ])('is asked again for what a playlist names: %s', async (_, status) => {
    let failures = 2;
    const { clock, edge, origin, url } = await stage((name) => name, {
      fault: (name, response) => {
        if (name !== 'seg-3.ts' || failures-- <= 0) return false;
        if (status === 0) response.destroy();
        else response.writeHead(status).end();
        return true;
      },
    });
    await view(url);
    let seen = 0;
    const viewing = view(`${edge.url}/seg-3.ts`).then((viewed) => {
      seen = viewed.status;
    });
    await until(() => {
      clock.turn(5);
      return seen !== 0;
    }, 'the segment');
    await viewing;
    expect(seen).toBe(200);
    expect(origin.count('/seg-3.ts')).toBeGreaterThan(1);
  });

  it('is not told to pages of other sites as a lost connection', async () => {
    const fault = (_: string, response: ServerResponse): boolean => {
      response.destroy();
      return true;
    };
    const { edge } = await stage(() => undefined, { fault });
    const { status, headers } = await view(`${edge.url}/anything.ts`, { headers: { Origin: 'https://a.example' } });
    expect([status, headers['access-control-allow-origin']]).toEqual([502, '*']);
  });
});
