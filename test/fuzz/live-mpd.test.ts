import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMpd } from '../../src/live/dash/mpd.ts';
import { announcedMax, type Manifest } from '../../src/live/manifest.ts';
import { fuzzCount, fuzzSeed } from '../support/fuzz.ts';
import { mpdText, period } from '../support/mpd.ts';
import { contradictoryMpd } from '../support/mpd-inputs.ts';

/** Of contradictory and of broken ones each: ten thousand together. */
const count = fuzzCount(5_000);
const url = 'https://origin.example/live/a.mpd';
const nowMs = Date.parse('2026-06-01T00:00:00Z');
const toEdge = (target: string): string | undefined =>
  target.startsWith('https://origin.example/') ? target.slice('https://origin.example'.length) : undefined;
/** CPU of one document: far above what any takes, far below what a quadratic one would. */
const cpuMsMax = 8_000;

/** Reads all that a manifest says; throws where it says too much. */
function use(bytes: Buffer): Manifest | undefined {
  const before = process.cpuUsage();
  const manifest = parseMpd(bytes, { url, nowMs: () => nowMs });
  if (manifest !== undefined) {
    expect(manifest.announced.length).toBeLessThanOrEqual(announcedMax);
    for (const { url: each } of manifest.announced) expect(each).toMatch(/^https?:\/\/[^/@]+(?:\/|$)/);
    expect(manifest.updateSeconds).toBeGreaterThanOrEqual(0);
    expect(Number.isFinite(manifest.updateSeconds)).toBe(true);
  }
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(cpuMsMax);
  return manifest;
}

describe('MPDs that nobody should send', () => {
  test('contradictory ones: never thrown at, only http URLs, nothing but URLs rewritten', () => {
    const structure = (text: string): string => text.replaceAll(/"[^"]*"|>[^<]*</g, '');
    let understood = 0;
    fc.assert(
      fc.property(fc.nat(), (number) => {
        const text = contradictoryMpd(number);
        const bytes = Buffer.from(text);
        const manifest = use(bytes);
        if (manifest !== undefined && manifest.announced.length > 0) understood += 1;
        const kept = bytes.toString('latin1');
        const rewritten = manifest?.rewrite(toEdge);
        if (rewritten !== undefined) expect(structure(rewritten.toString())).toBe(structure(text));
        // Nothing maps: the very same bytes.
        expect(manifest?.rewrite(() => undefined) ?? bytes).toBe(bytes);
        expect(bytes.toString('latin1')).toBe(kept);
      }),
      { seed: fuzzSeed, numRuns: count },
    );
    // Inputs that are all refused at the door would test nothing.
    expect(understood).toBeGreaterThan(count / 50);
  });

  test('broken ones: cut, spliced and flipped', () => {
    const sound = mpdText({
      mpd: 'type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z"',
      head: '<BaseURL>https://origin.example/x/</BaseURL>',
      periods: [period('<SegmentTemplate timescale="1" duration="2" media="$Number$"/>')],
    });
    const edit = fc.record({
      at: fc.nat(sound.length),
      remove: fc.nat(20),
      insert: fc.oneof(
        fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
        fc
          .constantFrom('<', '>', '"', '&', '<![CDATA[', ']]>', '<!--', '-->', '<?', '&#x0;', '&#x110000;')
          .map((each) => Buffer.from(each)),
      ),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        let bytes = Buffer.from(sound);
        for (const { at, remove, insert } of edits)
          bytes = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
        use(bytes)?.rewrite(toEdge);
      }),
      { seed: fuzzSeed, numRuns: count },
    );
  });

  const many = (count: number, text: string): string => text.repeat(count);
  const template = (inside: string): string =>
    `<SegmentTemplate media="$Time$" timescale="1">${inside}</SegmentTemplate>`;
  const laughs = `<!DOCTYPE MPD [<!ENTITY a "ha">${Array.from({ length: 20 }, (_, i) => `<!ENTITY a${i} "${many(50, `&a${i - 1 < 0 ? '' : i - 1};`)}">`).join('')}]>`;
  test.each([
    ['a billion laughs', mpdText({ head: '<BaseURL>&a19;</BaseURL>' }).replace('<MPD', `${laughs}<MPD`)],
    [
      'an external entity',
      mpdText({ head: '<BaseURL>&e;</BaseURL>' }).replace(
        '<MPD',
        '<!DOCTYPE MPD [<!ENTITY e SYSTEM "file:///etc/passwd">]><MPD',
      ),
    ],
    ['a million elements deep', many(1_000_000, '<a>')],
    ['a million attributes', `<MPD ${Array.from({ length: 200_000 }, (_, i) => `a${i}=""`).join(' ')}/>`],
    ['one long attribute', `<MPD id="${many(3_000_000, 'x')}"/>`],
    ['an attribute without end', `<MPD id="${many(3_000_000, '&amp;')}`],
    ['nothing but angle brackets', many(3_000_000, '<')],
    ['comments', `<MPD>${many(400_000, '<!---->')}</MPD>`],
    [
      'repeats of 10^14',
      mpdText({
        mpd: 'type="static" mediaPresentationDuration="P90Y"',
        periods: [period(template('<SegmentTimeline><S d="1" r="99999999999999"/></SegmentTimeline>'))],
      }),
    ],
    [
      'one timeline of 90,000 entries for 1,000 representations',
      mpdText({
        mpd: 'type="static" mediaPresentationDuration="P90Y"',
        periods: [
          period(template(`<SegmentTimeline>${many(90_000, '<S d="1"/>')}<S d="1" r="-1"/></SegmentTimeline>`), {
            ids: Array.from({ length: 1_000 }, (_, i) => `r${i}`),
          }),
        ],
      }),
    ],
    [
      '20,000 periods',
      mpdText({
        mpd: 'type="dynamic"',
        periods: Array.from({ length: 20_000 }, (_, i) => `<Period start="PT${i}S"/>`),
      }),
    ],
    [
      'base URLs that grow',
      `<MPD>${many(30, `<Period><BaseURL>${many(2_000, 'a')}/</BaseURL>`)}${many(30, '</Period>')}</MPD>`,
    ],
    ['more than 4 MiB', mpdText({ head: many(5_000_000, ' ') })],
  ])('%s', (_what, text) => {
    use(Buffer.from(text));
  });
});
