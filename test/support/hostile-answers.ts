import fc from 'fast-check';
import { patternBytes } from './pattern.ts';

/** What an origin says, which may be no HTTP, and whether it then closes the connection. */
export interface HostileAnswer {
  readonly bytes: Buffer;
  readonly ends: boolean;
}

const numbers = fc.constantFrom(
  ...['0', '1', '7', '2000', '-1', '+5', '1e3', '0x10', ' 9', '', 'NaN', '4294967296', '999999999999999'],
  ...['9007199254740991', '9007199254740993', '18446744073709551616', '99999999999999999999999999', '1, 2', '5, 5'],
);
const dates = fc.constantFrom(
  ...['Sun, 22 Nov 2026 10:00:00 GMT', 'Fri, 31 Dec 9999 23:59:60 GMT', 'Thu, 01 Jan 1970 00:00:00 GMT', '0', '-1'],
  ...['Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994', 'Mon, 31 Feb 2026 25:61:61 GMT', 'now', ''],
);
const directives = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'no-store',
        'no-cache',
        'private',
        'public',
        'immutable',
        'must-revalidate',
        'no-transform',
        '"',
        ',',
      ),
      fc
        .tuple(fc.constantFrom('max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error', 'MAX-AGE'), numbers)
        .map(([name, value]) => `${name}=${value}`),
    ),
    { maxLength: 4 },
  )
  .map((all) => all.join(', '));
const structured = fc.constantFrom(
  ...[
    'max-age=60',
    'max-age=999999999999999',
    'max-age=1.5',
    'max-age=?1',
    'max-age=(1 2);a',
    'max-age=@1',
    '"',
    '=',
    'a'.repeat(5_000),
  ],
);
const line = (name: string, value: fc.Arbitrary<string>) => value.map((each) => `${name}: ${each}`);
/** Without the end of a line: an empty line would end the header section, and what follows be content. */
const noise = fc
  .string({ unit: 'binary-ascii', minLength: 1, maxLength: 20 })
  .map((text) => text.replaceAll(/[\r\n]/g, '.'));
const fieldLine = fc.oneof(
  line(
    'Content-Range',
    numbers.map((n) => `bytes ${n}-${n}/${n}`),
  ),
  line('Content-Range', fc.constantFrom('bytes */5', 'bytes 5-2/9', 'bytes 0-1/1', 'items 0-1/2', 'bytes 0-9999/*')),
  line('Age', numbers),
  line('Date', dates),
  line('Expires', dates),
  line('Last-Modified', dates),
  line('Retry-After', fc.oneof(fc.constantFrom('0', '99999999999', '-5'), dates)),
  line('Cache-Control', directives),
  line('CDN-Cache-Control', structured),
  line('Eddy-Cache-Control', structured),
  line('Cache-Status', structured),
  line('CMSD-Static', structured),
  line('ETag', fc.constantFrom('"a"', 'W/"a"', '"', 'a', '"a", "b"', '""', 'é')),
  line('Vary', fc.constantFrom('*', 'Accept-Encoding', 'X-A, *', ',,', 'a b', 'Origin')),
  line('Location', fc.constantFrom('/x', '//', 'http://', 'http://[', '?', '\u0080', '/../../x', 'ftp://h/')),
  line('Content-Location', fc.constantFrom('/x', 'http://[::1', '//h/x', '')),
  line('Link', structured),
  line('Set-Cookie', structured),
  line('Content-Encoding', fc.constantFrom('gzip', 'br, gzip', 'x', '')),
  line('Accept-Ranges', fc.constantFrom('none', 'bytes', 'x')),
  line('Connection', fc.constantFrom('close', 'etag, date', 'content-length', ',')),
  line('Access-Control-Allow-Origin', fc.constantFrom('*', 'null', 'http://a, http://b')),
  line('X', noise),
  noise,
);

/** Of an answer: what a seed and a few choices make of it once the request is known. */
export const hostileAnswer = fc.record({
  status: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(200, 206) },
    fc.constantFrom(100, 101, 103, 199, 204, 205, 301, 302, 304, 307, 404, 410, 416, 421, 500, 503, 599, 600, 999),
  ),
  interim: fc.constantFrom(
    '',
    '',
    '',
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\n'.repeat(3),
  ),
  /** Of the representation. */
  length: fc.constantFrom(0, 1, 900, 900, 70_000, 999_999_999_999_999),
  framing: fc.constantFrom('length', 'length', 'length', 'chunked', 'close', 'too short', 'too long', 'both', 'none'),
  lines: fc.oneof(
    { weight: 3, arbitrary: fc.constant(['ETag: "a"', 'Cache-Control: max-age=60']) },
    fc.array(fieldLine, { maxLength: 5 }),
  ),
  asks: fc.boolean(),
  cutAt: fc.option(fc.nat(1_200), { nil: undefined, freq: 4 }),
});

type Choices = typeof hostileAnswer extends fc.Arbitrary<infer Value> ? Value : never;

const bytesMax = 100_000;

/** An answer to a request for that range, with bytes of the pattern where it says that they belong. */
export function answerTo(range: string | undefined, seed: string, choices: Choices): HostileAnswer {
  const { status, interim, length, framing, lines, cutAt } = choices;
  const [, from, to] = /^bytes=(\d{1,16})-(\d{0,16})/.exec(range ?? '') ?? [];
  const first = status === 206 && from !== undefined ? Number(from) : 0;
  const last = Math.min(length - 1, status === 206 && to ? Number(to) : length - 1);
  const count = Math.max(0, Math.min(bytesMax, last - first + 1));
  const content = patternBytes(seed, first, count);
  const fields = [...lines];
  if (status === 206 && count > 0 && choices.asks) fields.unshift(`Content-Range: bytes ${first}-${last}/${length}`);
  const { head, body } = framed(content, framing, last - first + 1);
  const message = `${interim}HTTP/1.1 ${status} X\r\n${[...fields, ...head].map((each) => `${each}\r\n`).join('')}\r\n`;
  const bytes = Buffer.concat([Buffer.from(message, 'latin1'), ...body]);
  const ends = framing !== 'length' || count < last - first + 1 || cutAt !== undefined;
  return { bytes: cutAt === undefined ? bytes : bytes.subarray(0, cutAt), ends };
}

function framed(content: Buffer, framing: Choices['framing'], said: number): { head: string[]; body: Buffer[] } {
  const chunked = [Buffer.from(`${content.length.toString(16)}\r\n`), content, Buffer.from('\r\n0\r\n\r\n')];
  switch (framing) {
    case 'length':
      return { head: [`Content-Length: ${Math.max(0, said)}`], body: [content] };
    case 'too short':
      return { head: [`Content-Length: ${Math.max(0, said) + 5}`], body: [content] };
    case 'too long':
      return { head: [`Content-Length: ${Math.max(0, said - 5)}`], body: [content] };
    case 'both':
      return { head: [`Content-Length: ${said}`, 'Transfer-Encoding: chunked'], body: chunked };
    case 'chunked':
      return { head: ['Transfer-Encoding: chunked'], body: content.length > 0 ? chunked : [Buffer.from('0\r\n\r\n')] };
    default:
      return { head: [], body: framing === 'none' ? [] : [content] };
  }
}
