import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fields } from '../../src/fields.ts';
import { withServerData } from '../../src/live/message/cmsd.ts';
import { clientDataOf } from '../../src/live/prefetch/cmcd.ts';
import { fuzzSeed } from '../support/fuzz.ts';

const fromQuery = (cmcd: string) =>
  clientDataOf({ target: `/a/1.m4s?t=1&CMCD=${encodeURIComponent(cmcd)}&x=2`, fields: Fields.empty });
const nothing = { sessionId: undefined, bufferMs: undefined, starved: false, next: [] };

describe('CMCD', () => {
  test('version 1 in the query', () => {
    const text =
      'bl=21300,br=3200,bs,cid="faec5fc2",d=4004,dl=18500,mtp=48100,nor="..%2F300kbps%2Fsegment35.m4v",nrr="12323-48763",ot=v,pr=1.08,rtp=12000,sf=d,sid="6e2fb550",st=l,su,tb=6000';
    expect(fromQuery(text)).toEqual({
      sessionId: '6e2fb550',
      objectType: 'v',
      format: 'dash',
      streamType: 'live',
      bufferMs: 21300,
      throughputKbps: 48100,
      playbackRate: 1.08,
      startup: true,
      starved: true,
      next: [{ reference: '../300kbps/segment35.m4v', range: '12323-48763' }],
    });
  });

  test('in header fields, whichever carries what', () => {
    const fields = Fields.of({
      'cmcd-session': 'sid="s",sf=h,st=ll',
      'CMCD-Object': 'ot=a,d=2000',
      'CMCD-Request': 'bl=900,nor="2.m4s"',
      'CMCD-Status': 'bs',
    });
    const data = clientDataOf({ target: '/1.m4s', fields });
    expect(data).toMatchObject({ sessionId: 's', format: 'hls', streamType: 'low-latency', objectType: 'a' });
    expect(data).toMatchObject({ bufferMs: 900, starved: true, next: [{ reference: '2.m4s', range: undefined }] });
  });

  test('version 2: lists by object type, several next objects with ranges', () => {
    const text = 'v=2,ot=a,bl=(5000;v 3000;a),br=(128),bs=(?0;v ?1;a),ltc=1500,nor=("a.mp4" "b.mp4";r="0-99")';
    expect(fromQuery(text)).toMatchObject({
      ...{ bufferMs: 3000, starved: true },
      next: [
        { reference: 'a.mp4', range: undefined },
        { reference: 'b.mp4', range: '0-99' },
      ],
    });
  });

  test('what is out of bounds or of the wrong type is left out', () => {
    const text = `bl=-5,br="x",d=?1,sid="${'s'.repeat(200)}",sf=q,st=toString,ot=constructor,nor=""`;
    expect(fromQuery(text)).toMatchObject({
      ...nothing,
      format: undefined,
      streamType: undefined,
      objectType: undefined,
    });
    const many = Array.from({ length: 50 }, (_, i) => `"${i}"`).join(' ');
    expect(fromQuery(`nor=(${many})`)?.next).toHaveLength(4);
  });

  test.each([
    ['none', '/a?x=1'],
    ['another parameter', '/a?XCMCD=bl%3D1'],
    ['empty', '/a?CMCD='],
    ['not a dictionary', '/a?CMCD=bl%3D%28'],
    ['a bad encoding', '/a?CMCD=%E0%A4%A'],
    ['too long', `/a?CMCD=${'bl,'.repeat(2_000)}bl`],
  ])('%s: undefined', (_what, target) => {
    expect(clientDataOf({ target, fields: Fields.empty })).toBeUndefined();
  });

  test('anything at all: never throws', () => {
    const key = fc.constantFrom('bl', 'nor', 'nrr', 'sid', 'ot', 'bs', 'su', '__proto__', 'v', 'com.x-y');
    const value = fc.oneof(
      fc.string(),
      fc.constantFrom('=1', '=(', '=("a";r=1)', '="%"', '=:YQ==:', '=@1', '=?1', '=%"x"'),
    );
    const text = fc
      .array(
        fc.tuple(key, value).map((pair) => pair.join('')),
        { maxLength: 6 },
      )
      .map((all) => all.join(','));
    fc.assert(
      fc.property(text, (cmcd) => {
        clientDataOf({ target: `/a?CMCD=${cmcd}`, fields: Fields.empty });
        fromQuery(cmcd);
      }),
      { seed: fuzzSeed, numRuns: 2_000 },
    );
  });
});

describe('CMSD', () => {
  test('our member comes after those of servers behind us', () => {
    const fields = Fields.of({ 'CMSD-Dynamic': '"CDN-1";etp=96;rtt=8', 'CMSD-Static': 'ot=v' });
    const data = { name: 'eddy-abc', throughputKbps: 12_345, duress: true };
    const answered = withServerData(fields, data);
    expect(answered.get('CMSD-Dynamic')).toBe('"CDN-1";etp=96;rtt=8, "eddy-abc";etp=12300;du');
    expect(answered.get('CMSD-Static')).toBe('ot=v');
  });

  test('says no more than is known, and a name that any field can carry', () => {
    const answered = withServerData(Fields.empty, { name: 'nö de"\r\n', throughputKbps: Number.NaN, duress: false });
    expect(answered.get('CMSD-Dynamic')).toBe('"n--de---"');
    expect(answered.has('CMSD-Static')).toBe(false);
  });

  test('the time an answer was held, unless the origin said how long', () => {
    expect(withServerData(Fields.empty, { name: 'e', heldMs: 412.4 }).get('CMSD-Static')).toBe('ht=412,n="e"');
    const said = Fields.of({ 'CMSD-Static': 'ot=v,ht=7' });
    expect(withServerData(said, { name: 'e', heldMs: 412 }).get('CMSD-Static')).toBe('ot=v,ht=7');
    const other = Fields.of({ 'CMSD-Static': 'ot=v' });
    expect(withServerData(other, { name: 'e', heldMs: 412 }).get('CMSD-Static')).toBe('ot=v,ht=412');
  });
});
