import fc from 'fast-check';

/** Where hostile playlists point to: the origin itself, and a server that nobody may ask. */
export interface Targets {
  readonly origin: string;
  readonly trap: string;
}

/** Playlists as they should not be: huge, recursive, contradictory, cut off, with hostile numbers and URIs. */
export function hostilePlaylist(targets: Targets): fc.Arbitrary<Buffer> {
  const lines = fc.array(
    fc.oneof({ weight: 6, arbitrary: tagLine(targets) }, { weight: 4, arbitrary: segment(targets) }),
    {
      maxLength: 40,
    },
  );
  const ends = fc.constantFrom('\n', '\r\n', '\n\n', '\r');
  const playlist = fc
    .tuple(head, lines, ends, fc.constantFrom('', '#EXT-X-ENDLIST'))
    .map(([first, rest, end, last]) => Buffer.from([...first, ...rest.flat(), last].join(end) + end));
  const mostlySane = fc
    .tuple(
      sane,
      fc.array(saneSegment(targets), { minLength: 1, maxLength: 12 }),
      fc.array(tagLine(targets), { maxLength: 2 }),
    )
    .map(([target, segments, tags]) =>
      Buffer.from(
        [
          '#EXTM3U',
          `#EXT-X-TARGETDURATION:${target}`,
          '#EXT-X-MEDIA-SEQUENCE:7',
          ...tags.flat(),
          ...segments.flat(),
          '',
        ].join('\n'),
      ),
    );
  return fc.oneof(
    { weight: 30, arbitrary: playlist },
    { weight: 30, arbitrary: mostlySane },
    {
      weight: 20,
      arbitrary: fc.tuple(fc.oneof(playlist, mostlySane), mutation).map(([bytes, change]) => change(bytes)),
    },
    { weight: 10, arbitrary: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)) },
    { weight: 1, arbitrary: huge(targets) },
  );
}

/** As playlists write numbers, and as they should not. */
export const number = fc.oneof(
  fc.integer({ min: -2, max: 12 }).map(String),
  fc.double().map(String),
  fc.constantFrom(
    'NaN',
    '1e308',
    '-1',
    '9007199254740993',
    '18446744073709551616',
    '0x10',
    '',
    '00',
    '1e-300',
    'Infinity',
  ),
);

const sane = fc.constantFrom('2', '4', '6', '1');

const head = fc
  .tuple(fc.oneof({ weight: 5, arbitrary: sane }, { weight: 1, arbitrary: number }), number, number)
  .map(([target, sequence, version]) => [
    '#EXTM3U',
    `#EXT-X-VERSION:${version}`,
    `#EXT-X-TARGETDURATION:${target}`,
    `#EXT-X-MEDIA-SEQUENCE:${sequence}`,
  ]);

function uri({ origin, trap }: Targets): fc.Arbitrary<string> {
  const own = new URL(origin);
  const other = new URL(trap);
  return fc.oneof(
    fc.constantFrom(
      'a.m4s',
      'b.ts?token=1',
      './c.m4s',
      'self.m3u8',
      '../up.ts',
      '../../../../etc/passwd',
      '/rooted.ts',
      '?only=query',
      '',
    ),
    fc.constantFrom(`${origin}/mapped.ts`, `//${own.host}/scheme-relative.ts`, `${origin}/a/../b%2e%2e/c.ts?x=1`),
    fc.constantFrom(
      `${trap}/hostile.ts`,
      `//${other.host}/hostile.ts`,
      `http://localhost:${other.port}/hostile.ts`,
      `http://[::1]:${other.port}/hostile.ts`,
      `http://user:pass@${other.host}/hostile.ts`,
      `http://${own.host}@${other.host}/hostile.ts`,
      `http://0x7f000001:${other.port}/hostile.ts`,
      `${origin}.evil.invalid/hostile.ts`,
      'http://169.254.169.254/latest/meta-data',
      'http://127.0.0.1:1/x',
      'file:///etc/passwd',
      'data:text/plain,hello',
      'javascript:alert(1)',
      'http://',
      'http:// space/',
    ),
    fc.webUrl(),
    fc.string({ maxLength: 30 }).map((text) => text.replaceAll(/[\r\n]/g, ' ')),
    fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => text.replaceAll(/[\r\n]/g, ' ')),
  );
}

const names = [
  ...['EXT-X-KEY', 'EXT-X-MAP', 'EXT-X-MEDIA', 'EXT-X-STREAM-INF', 'EXT-X-I-FRAME-STREAM-INF', 'EXT-X-PART'],
  ...['EXT-X-PRELOAD-HINT', 'EXT-X-RENDITION-REPORT', 'EXT-X-SESSION-DATA', 'EXT-X-SESSION-KEY', 'EXT-X-DATERANGE'],
  ...['EXT-X-CONTENT-STEERING', 'EXT-X-SKIP', 'EXT-X-SERVER-CONTROL', 'EXT-X-PART-INF', 'EXT-X-START', 'EXT-X-DEFINE'],
];

const attributeNames = [
  ...[
    'METHOD',
    'TYPE',
    'GROUP-ID',
    'NAME',
    'BANDWIDTH',
    'CODECS',
    'RESOLUTION',
    'DURATION',
    'INDEPENDENT',
    'BYTERANGE',
  ],
  ...['BYTERANGE-START', 'BYTERANGE-LENGTH', 'LAST-MSN', 'LAST-PART', 'SKIPPED-SEGMENTS', 'CAN-BLOCK-RELOAD', 'IV'],
  ...['CAN-SKIP-UNTIL', 'PART-HOLD-BACK', 'HOLD-BACK', 'PART-TARGET', 'TIME-OFFSET', 'ID', 'START-DATE', 'VALUE'],
];

export function tagLine(targets: Targets): fc.Arbitrary<string[]> {
  const value = fc.oneof(
    number,
    fc.constantFrom('YES', 'NO', 'NONE', 'AES-128', 'PART', 'MAP', 'AUDIO', '"x"', '640x360', '"5@0"', '"-1@-1"'),
    fc.string({ maxLength: 8 }).map((text) => `"${text.replaceAll(/["\r\n]/g, '')}"`),
  );
  const attribute = fc.oneof(
    { weight: 3, arbitrary: fc.tuple(fc.constantFrom(...attributeNames), value).map(([name, it]) => `${name}=${it}`) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom('URI', 'SERVER-URI', 'X-ASSET-URI', 'X-ASSET-LIST'), uri(targets))
        .map(([name, it]) => `${name}="${it}"`),
    },
  );
  const tag = fc
    .tuple(fc.constantFrom(...names), fc.array(attribute, { maxLength: 5 }), fc.constantFrom(',', ', ', ',,'))
    .map(([name, attributes, comma]) => [`#${name}:${attributes.join(comma)}`]);
  const plain = fc
    .tuple(
      fc.constantFrom(
        'EXT-X-BYTERANGE',
        'EXT-X-PROGRAM-DATE-TIME',
        'EXT-X-DISCONTINUITY-SEQUENCE',
        'EXT-X-BITRATE',
        'EXTM3U',
      ),
      number,
    )
    .map(([name, it]) => [`#${name}:${it}`]);
  const date = fc
    .constantFrom(
      '2026-01-01T00:00:00Z',
      '1970-01-01T00:00:00.000+14:00',
      '+275760-09-12T23:59:59Z',
      '-271821-04-20T00:00:00Z',
    )
    .map((time) => [`#EXT-X-PROGRAM-DATE-TIME:${time}`]);
  const flag = fc
    .constantFrom(
      'EXT-X-DISCONTINUITY',
      'EXT-X-GAP',
      'EXT-X-INDEPENDENT-SEGMENTS',
      'EXT-X-I-FRAMES-ONLY',
      'EXT-X-ENDLIST',
      'EXT-X-UNHEARD-OF:x',
    )
    .map((name) => [`#${name}`]);
  const playlistType = fc.constantFrom('VOD', 'EVENT', 'NEITHER').map((type) => [`#EXT-X-PLAYLIST-TYPE:${type}`]);
  return fc.oneof({ weight: 5, arbitrary: tag }, plain, date, flag, playlistType);
}

function segment(targets: Targets): fc.Arbitrary<string[]> {
  const seconds = fc.oneof({ weight: 4, arbitrary: sane }, { weight: 1, arbitrary: number });
  return fc.tuple(seconds, uri(targets)).map(([duration, where]) => [`#EXTINF:${duration},`, where]);
}

function saneSegment(targets: Targets): fc.Arbitrary<string[]> {
  return fc.tuple(sane, uri(targets)).map(([duration, where]) => [`#EXTINF:${duration},`, where]);
}

const mutation: fc.Arbitrary<(bytes: Buffer) => Buffer> = fc.oneof(
  fc.nat().map((at) => (bytes: Buffer) => bytes.subarray(0, bytes.length === 0 ? 0 : at % bytes.length)),
  fc.tuple(fc.nat(), fc.nat(255)).map(([at, value]) => (bytes: Buffer) => {
    const changed = Buffer.from(bytes);
    if (changed.length > 0) changed[at % changed.length] = value;
    return changed;
  }),
  fc.constant((bytes: Buffer) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes])),
  fc.constant((bytes: Buffer) => Buffer.concat([bytes, bytes])),
);

/** Up to some megabytes of one thing: segments, attributes, one line, date ranges, discontinuities. */
function huge(targets: Targets): fc.Arbitrary<Buffer> {
  const start = '#EXTM3U\n#EXT-X-TARGETDURATION:2\n';
  const unit = fc.oneof(
    uri(targets).map((where) => `#EXTINF:2,\n${where}\n`),
    fc.constantFrom(
      '#EXT-X-DATERANGE:ID="a",START-DATE="2026-01-01T00:00:00Z"\n',
      '#EXT-X-DISCONTINUITY\n',
      '#EXT-X-KEY:METHOD=AES-128,URI="k"\n',
      '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nv.m3u8\n',
      '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="n",URI="a.m3u8"\n',
      '#EXT-X-PART:DURATION=0.1,URI="p.m4s"\n',
      '\n',
      'a',
      '"',
      ',URI="',
      '#EXT-X-DEFINE:NAME="a",VALUE="{$a}{$a}"\n',
    ),
  );
  return fc
    .tuple(
      unit,
      fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min: 1_000, max: 200_000 }) },
        { weight: 1, arbitrary: fc.integer({ min: 1_000_000, max: 6_000_000 }) },
      ),
    )
    .map(([text, bytes]) => {
      const times = Math.ceil(bytes / Math.max(1, text.length));
      return Buffer.from(start + text.repeat(times));
    });
}
