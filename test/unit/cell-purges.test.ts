import { describe, expect, it } from 'vitest';
import { purgeContent } from '../../src/http/admin/admin-purge.ts';
import { CellPurges } from '../../src/node/cell/cell-purges.ts';
import { encodeMissed, parseMissed } from '../../src/node/cell/missed-purges.ts';
import { PurgeMemory } from '../../src/node/cell/purge-memory.ts';
import { announcementBytesMax } from '../../src/peers/wire/announcement.ts';
import { until } from '../support/until.ts';

describe('purges that are remembered', () => {
  const heeded = true;

  it('are each told of once, the last time', () => {
    const memory = new PurgeMemory();
    expect(memory.add({ which: { url: '/a' }, atMs: 10_000, heeded })).toBe(true);
    expect(memory.add({ which: { tag: 'x' }, atMs: 15_000, heeded })).toBe(true);
    expect(memory.add({ which: { url: '/a' }, atMs: 20_000, heeded })).toBe(true);
    // Another member tells of it, by a clock of its own.
    expect(memory.add({ which: { url: '/a' }, atMs: 20_300, heeded })).toBe(false);
    expect(memory.add({ which: { url: '/a' }, atMs: 9_000, heeded })).toBe(false);
    expect(memory.list()).toMatchObject([{ which: { tag: 'x' } }, { which: { url: '/a' }, atMs: 20_000 }]);
    expect(memory.add({ which: 'all', atMs: 16_000, heeded })).toBe(true);
    expect(memory.list()).toMatchObject([{ which: 'all' }, { which: { url: '/a' } }]);
    expect(memory.add({ which: { url: '/b' }, atMs: 14_000, heeded })).toBe(false);
  });

  it('are news again to a node that was only told of them', () => {
    const memory = new PurgeMemory();
    expect(memory.add({ which: { url: '/a' }, atMs: 10_000, heeded: false })).toBe(true);
    expect(memory.add({ which: { url: '/a' }, atMs: 10_000, heeded: false })).toBe(false);
    expect(memory.add({ which: { url: '/a' }, atMs: 10_000, heeded: true })).toBe(true);
    expect(memory.list()).toHaveLength(1);
  });

  it('are bounded: what is too much stands for all there was by then', () => {
    const memory = new PurgeMemory();
    for (let i = 0; i < 1_000; i++) memory.add({ which: { url: `/${i}` }, atMs: i * 10_000, heeded });
    const list = memory.list();
    expect(list).toHaveLength(256);
    expect(list[0]).toMatchObject({ which: 'all', atMs: 744 * 10_000 });
    expect(list[1]).toMatchObject({ which: { url: '/745' } });
    for (let i = 0; i < 100; i++)
      memory.add({ which: { url: `/${i}${'x'.repeat(8_000)}` }, atMs: (1_000 + i) * 10_000, heeded });
    expect(memory.list().reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(128 * 1024);
    expect(memory.list()[0]).toMatchObject({ which: 'all' });
  });
});

describe('a purge that a member tells of', () => {
  it('is tried again when it fails', async () => {
    const lines: string[] = [];
    const line = (_: object, message: string) => lines.push(message);
    const purges = new CellPurges({ debug: line, info: line, warn: line, error: line }, { retryMs: 1 });
    let attempts = 0;
    const purge = async () => {
      if (++attempts < 3) throw new Error('the disk has trouble');
      return 7;
    };
    await purges.told(Buffer.from('{"url":"/a"}'), { cache: { purge }, peer: 'a member' });
    await until(() => lines.length >= 3);
    const failed = 'a purge that a member was told of failed';
    expect(lines).toEqual([failed, failed, 'purged, as a member was told to']);
  });
});

describe('purges on the wire', () => {
  it('come to a node with another clock, and say which it was told then', () => {
    const purges = [
      { which: 'all' as const, atMs: 1_000 },
      { which: { prefix: '/"é' }, atMs: 5_000 },
      ...Array.from({ length: 40 }, (_, i) => ({ which: { tag: `${i}${'t'.repeat(200)}` }, atMs: 6_000 + i })),
      { which: { url: `/${'u'.repeat(8_191)}` }, atMs: 7_000 },
    ].map((each) => ({ ...each, text: purgeContent(each.which) }));
    const messages = encodeMissed(purges, { nowMs: 10_000, sinceMs: 5_500 });
    expect(messages.length).toBeGreaterThan(1);
    for (const { length } of messages) expect(length).toBeLessThanOrEqual(announcementBytesMax);
    expect(messages.flatMap((message) => parseMissed(message.toString(), 510_000))).toEqual(
      purges.map(({ which, atMs }) => ({ which, atMs: atMs + 500_000, wasTold: atMs < 5_500 })),
    );
    const [unknown] = encodeMissed(purges.slice(0, 1), { nowMs: 10_000, sinceMs: undefined });
    expect(parseMissed(String(unknown), 10_000)).toEqual([{ which: 'all', atMs: 1_000, wasTold: false }]);
    expect(encodeMissed([], { nowMs: 10_000, sinceMs: 5_500 })).toEqual([]);
  });

  it.each([
    '',
    '[]',
    'null',
    '{"purges":{}}',
    '{"purges":[null,1,{"agoMs":1},{"agoMs":"1","purge":{"all":true}},{"agoMs":1,"purge":{"all":false}}]}',
  ])('are none where they are malformed: %s', (text) => {
    expect(parseMissed(text, 10_000)).toEqual([]);
  });
});
