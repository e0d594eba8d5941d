import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { Fields } from '../../src/fields.ts';
import { decodeAnnouncement, encodeAnnouncement } from '../../src/live/channels/cell-voice.ts';
import { type Edge, startEdge, testPolicy } from '../support/edge.ts';
import { HandClock } from '../support/hand-clock.ts';
import { startOrigin, type TestOrigin } from '../support/origin.ts';
import { ScriptedChannel } from '../support/scripted-channel.ts';
import { until } from '../support/until.ts';
import { view } from '../support/viewer.ts';

const path = '/main.m3u8';
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Node {
  readonly edge: Edge;
  readonly origin: TestOrigin;
  readonly clock: HandClock;
  /** Of each request that was held: from what it was held for being known to the end of its answer. */
  readonly releasedMs: number[];
  readonly toldMs: number[];
}

/** Two members of a cell that do not exchange bytes: what one knows without asking its own origin it was told. */
async function cell({ offerBlockingReload = true } = {}) {
  const channel = new ScriptedChannel();
  const members: Node[] = [];
  const ids = ['owner', 'member'];
  const state = { owner: 'owner', silent: false };
  for (const id of ids) {
    const origin = await startOrigin({ [path]: channel.playlist });
    const clock = new HandClock();
    const releasedMs: number[] = [];
    const toldMs: number[] = [];
    const edge: Edge = await startEdge({
      origins: [origin.url],
      liveClock: clock,
      now: () => clock.nowMs(),
      live: { offerBlockingReload },
      onFinished: ({ releaseMs }) => releaseMs !== undefined && releasedMs.push(releaseMs),
      onTold: (lagMs) => toldMs.push(lagMs),
      voice: {
        ownerOf: () => (state.owner === id ? 'self' : state.owner),
        announce: (message) => {
          if (state.silent) return false;
          for (const each of members) if (each.edge !== edge) each.edge.live.announced(id, Buffer.from(message));
          return true;
        },
      },
    });
    members.push({ edge, origin, clock, releasedMs, toldMs });
    cleanups.push(
      () => edge.close(),
      () => origin.close(),
    );
  }
  const [owner, member] = members as [Node, Node];
  return { channel, owner, member, state };
}

const text = async ({ edge }: Node, query = '') => (await view(edge.url + path + query)).body.toString();

describe('a member of a cell', () => {
  it('is told what is new by the owner, and releases its viewers without asking', async () => {
    const { channel, owner, member } = await cell();
    await text(owner);
    await text(member);
    for (let round = 5; round < 9; round++) {
      const held = Array.from({ length: 5 }, () => text(member, `?_HLS_msn=${round}`));
      await until(() => member.edge.live.waiting === 5, 'viewers being held');
      channel.advance();
      member.clock.turn(500);
      owner.clock.turnToNext(10_000);
      for (const playlist of await Promise.all(held)) expect(playlist).toContain(`seg-${round}.ts`);
    }
    expect([owner.origin.count(path), member.origin.count(path)]).toEqual([5, 1]);
    await until(() => member.releasedMs.length === 20, 'the held requests being counted');
    expect([member.toldMs.length, owner.releasedMs.length, owner.toldMs.length]).toEqual([4, 0, 0]);
    for (const each of [...member.releasedMs, ...member.toldMs]) expect(each).toBeGreaterThan(-1);
  });

  it('counts a release from when the owner learnt of what was waited for', async () => {
    const { channel, owner, member } = await cell();
    await text(owner);
    await text(member);
    const held = text(member, '?_HLS_msn=5');
    await until(() => member.edge.live.waiting === 1, 'a viewer being held');
    channel.advance();
    const message = encodeAnnouncement({
      key: `default ${path}`,
      version: 'new',
      playlist: { bytes: Buffer.from(channel.text()), fields: Fields.empty },
      atMs: Date.now() - 5_000,
    });
    member.edge.live.announced('owner', message ?? Buffer.alloc(0));
    await held;
    await until(() => member.releasedMs.length === 1, 'the held request being counted');
    expect(Math.min(...member.releasedMs, ...member.toldMs)).toBeGreaterThan(4_900);
  });

  it('holds for a moment who asks when the next version is due, and not longer', async () => {
    const { channel, owner, member } = await cell({ offerBlockingReload: false });
    await text(owner);
    await text(member);
    const next = async () => {
      const before = owner.edge.live.polls;
      channel.advance();
      owner.clock.turnToNext(10_000);
      await until(() => owner.edge.live.polls > before, 'the owner asking');
    };
    member.clock.turn(2_000);
    await next();
    member.clock.turn(1_800);
    const held = text(member);
    await until(() => member.edge.live.waiting === 1, 'a viewer being held');
    member.clock.turn(100);
    await next();
    expect(await held).toBe(channel.text());
    const newest = await text(member);
    member.clock.turn(1_800);
    const late = text(member);
    await until(() => member.edge.live.waiting === 1, 'a viewer being held');
    member.clock.turn(800);
    expect(await late).toBe(newest);
  });

  it('goes on counting with the owner after a restart, and as the owner did once it is the owner itself', async () => {
    const { channel, owner, member, state } = await cell();
    channel.advance(20);
    await text(owner);
    await text(member);
    [channel.first, channel.last] = [0, 0];
    for (let i = 0; i < 2; i++) {
      const before = owner.edge.live.polls;
      owner.clock.turnToNext(10_000);
      await until(() => owner.edge.live.polls > before, 'the owner asking');
    }
    expect(await text(owner)).toContain('\n#EXT-X-DISCONTINUITY\n#EXTINF:2.000,\nseg-0.ts?_eddy_epoch=25\n');
    expect(await text(member)).toBe(await text(owner));
    expect(member.origin.count(path)).toBe(1);
    state.owner = 'member';
    channel.advance();
    const held = text(member, '?_HLS_msn=26');
    await until(() => member.edge.live.waiting === 1, 'a viewer being held');
    member.clock.turn(4_000);
    expect(await held).toMatch(/#EXT-X-MEDIA-SEQUENCE:22\n[\s\S]*seg-24.ts\n[\s\S]*seg-1.ts\?_eddy_epoch=25\n$/);
  });

  it('asks for itself when the owner is silent', async () => {
    const { channel, owner, member, state } = await cell();
    await text(owner);
    await text(member);
    channel.advance();
    owner.clock.turnToNext(10_000);
    await until(() => owner.edge.live.polls === 1);
    state.silent = true;
    channel.advance();
    const held = text(member, '?_HLS_msn=6');
    await until(() => member.edge.live.waiting === 1, 'a viewer being held');
    member.clock.turn(4_000);
    expect(await held).toContain('seg-6.ts');
    expect(member.origin.count(path)).toBeGreaterThan(1);
  });

  it('gives what it knows, and no 503, while the owner has nothing newer from the origin', async () => {
    const { channel, member } = await cell();
    channel.lines = ['#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES'];
    const known = await text(member);
    channel.fields = { Age: '5' };
    const held = view(`${member.edge.url}${path}?_HLS_msn=5`);
    await until(() => member.edge.live.waiting === 1, 'a viewer being held');
    member.clock.turnToNext(10_000);
    await until(() => member.edge.live.polls === 1, 'the member asking');
    member.clock.turn(6_000);
    const { status, body } = await held;
    expect([status, body.toString()]).toEqual([200, known]);
  });

  it('says how old it is as the owner does, who found that it is current', async () => {
    const { owner, member } = await cell();
    await text(owner);
    await text(member);
    for (const { clock } of [member, owner]) clock.turn(1_000);
    for (let polls = 1; polls < 3; polls++) {
      member.clock.turn(1_500);
      owner.clock.turnToNext(10_000);
      await until(() => owner.edge.live.polls === polls, 'the owner asking');
    }
    expect((await view(member.edge.url + path)).headers['age']).toBe('0');
  });

  it('believes nobody but the owner', async () => {
    const { channel, owner, member, state } = await cell();
    await text(owner);
    const before = await text(member);
    state.owner = 'somebody else';
    channel.advance();
    const forged = encodeAnnouncement({
      key: `default ${path}`,
      version: 'new',
      playlist: { bytes: Buffer.from(channel.text()), fields: Fields.empty },
    });
    member.edge.live.announced('member of ill will', forged ?? Buffer.alloc(0));
    member.edge.live.announced('somebody else', Buffer.from('no announcement'));
    expect(await text(member)).toBe(before);
    member.edge.live.announced('somebody else', forged ?? Buffer.alloc(0));
    expect(await text(member)).toContain('seg-5.ts');
  });
});

describe('the owner of a playlist', () => {
  /** As a member asks that has to begin. */
  async function asMember({ edge }: Node, target: string): Promise<string> {
    const { signal } = new AbortController();
    const like = { method: 'GET', target, scheme: 'http', authority: 'edge', fields: Fields.empty, signal } as const;
    const answer = await edge.live.answer({ ...like, policy: testPolicy, peersForbidden: true });
    if (answer.kind !== 'representation') throw new Error(`${target} was passed on`);
    return Buffer.concat(await Array.fromAsync(answer.content.read(0, undefined, signal))).toString();
  }

  it('gives members what the origin gave, and not what it makes of it for viewers', async () => {
    const { channel, owner } = await cell();
    channel.uriOf = (sequence) => `${owner.origin.url}/seg-${sequence}.ts`;
    expect(await text(owner)).toContain('#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES');
    expect(await asMember(owner, path)).toBe(channel.text());
    channel.ended = true;
    owner.clock.turnToNext(10_000);
    await until(() => owner.edge.live.polls === 1, 'the owner asking');
    expect(await text(owner)).toContain('\n/seg-0.ts\n');
    expect(await asMember(owner, path)).toBe(channel.text());
  });
});

describe('an announcement', () => {
  it('is small, and whole again', () => {
    const bytes = Buffer.from('#EXTM3U\n'.repeat(5_000));
    const fields = new Fields(['ETag', '"a"', 'Date', 'now']);
    const message = encodeAnnouncement({ key: 'k', version: 'v', playlist: { bytes, fields } });
    expect(message?.length).toBeLessThan(1_000);
    expect(decodeAnnouncement(message as Buffer)).toEqual({ key: 'k', version: 'v', playlist: { bytes, fields } });
  });

  it('has a small playlist as it is, in a deflate stream all the same', () => {
    const bytes = Buffer.from('#EXTM3U\n'.repeat(10));
    const playlist = { bytes, fields: new Fields(['ETag', '"a"']) };
    const message = encodeAnnouncement({ key: 'k', version: 'v', playlist }) ?? Buffer.alloc(0);
    const body = 4 + message.readUInt32BE();
    expect(inflateRawSync(message.subarray(body))).toEqual(bytes);
    const deflated = Buffer.concat([message.subarray(0, body), deflateRawSync(bytes)]);
    for (const each of [message, deflated])
      expect(decodeAnnouncement(each)).toEqual({ key: 'k', version: 'v', playlist });
    for (const broken of [message.subarray(0, -1), message.subarray(0, body + 2)])
      expect(decodeAnnouncement(broken)).toBeUndefined();
  });

  it.each([
    ['a field that no viewer can be sent', { fields: ['X', 'a\r\nSet-Cookie: b'] }],
    ['a name that is none', { fields: ['X Y', 'a'] }],
    ['a character that is no octet', { fields: ['X', '\u0100'] }],
    ['a time that is none', { fields: [], atMs: '1e999' }],
  ])('with %s is none', (_, head) => {
    const text = JSON.stringify({ key: 'k', version: 'v', ...head }).replace('"1e999"', '1e999');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(text));
    const message = Buffer.concat([length, Buffer.from(text, 'utf8'), deflateRawSync('#EXTM3U\n')]);
    expect(decodeAnnouncement(message)).toBeUndefined();
  });

  it('of a playlist that is too large only says that there is one', () => {
    const bytes = Buffer.from(Array.from({ length: 8_000 }, () => Math.random().toString(36)).join('\n'));
    const message = encodeAnnouncement({ key: 'k', version: 'v', playlist: { bytes, fields: Fields.empty } });
    expect(decodeAnnouncement(message as Buffer)).toEqual({ key: 'k', version: 'v' });
  });
});
