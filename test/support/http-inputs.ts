import fc from 'fast-check';

/** Paths in bytes that must be content under every right reading: seeing one requested means a smuggled request. */
export const smuggledPath = '/smuggled';

const smuggled = `GET ${smuggledPath} HTTP/1.1\r\nHost: a\r\n\r\n`;

/** Wrong in few places at once, so that most inputs get past the first check. */
function mostly(right: string, wrong: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof({ weight: 6, arbitrary: fc.constant(right) }, { weight: 1, arbitrary: wrong });
}

const targets = fc.oneof(
  fc.constantFrom('/ram', '/ram?x=1', 'http://a/ram', '*', '/%zz', '/a#b', '//', '/..%2f', 'a:443', '/\0', '/\xff', ''),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => `/${latin1(text)}`),
  fc.noBias(fc.nat(12_000)).map((length) => `/${'x'.repeat(length)}`),
);
const methods = fc.constantFrom(
  'GET',
  'POST',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'get',
  'G T',
  'PRI',
  '',
  'BREW',
  'PUT\t',
  'DELETE',
);
const versions = fc.constantFrom(
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1.11',
  'HTTP/1',
  '',
  'HTTP/9.9',
);
const gaps = fc.constantFrom(' ', ' ', ' ', '  ', '\t', '', '\v');
const lineEnds = fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n', '\0\r\n');

const requestLines = fc
  .tuple(
    mostly('GET', methods),
    mostly(' ', gaps),
    targets,
    mostly(' ', gaps),
    mostly('HTTP/1.1', versions),
    mostly('\r\n', lineEnds),
  )
  .map((parts) => `${parts.join('')}Host: a\r\n\r\n`);

const fieldNames = fc.oneof(
  fc.constantFrom(
    'Host',
    'Range',
    'If-Range',
    'If-None-Match',
    'Connection',
    'Content-Length',
    'Transfer-Encoding',
    'Expect',
    'Upgrade',
  ),
  fc.string({ unit: 'binary', maxLength: 6 }).map(latin1),
);
const fieldValues = fc.oneof(
  fc.constantFrom(
    'a',
    '',
    'bytes=0-1',
    '100-continue',
    'close',
    'keep-alive',
    'chunked',
    'h2c',
    'x\0y',
    'a\r\n b',
    '\x7f',
    '5',
    '*',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }).map(latin1),
  fc.noBias(fc.nat(20_000)).map((length) => 'v'.repeat(length)),
);
const colons = fc.constantFrom(': ', ':', ' : ', ':\t', '', '\0: ', ':: ');
const headerSections = fc
  .array(fc.tuple(mostly('X', fieldNames), mostly(': ', colons), fieldValues, mostly('\r\n', lineEnds)), {
    maxLength: 6,
  })
  .map((lines) => `GET /ram HTTP/1.1\r\nHost: a\r\n${lines.map((line) => line.join('')).join('')}\r\n`);

const rangeTexts = fc.oneof(
  fc
    .array(fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 25n }), fc.bigInt({ min: 0n, max: 10n ** 25n })), {
      maxLength: 80,
    })
    .map((pairs) => `bytes=${pairs.map(([a, b]) => `${a}-${b}`).join(',')}`),
  fc.string({ unit: fc.constantFrom(...'0123456789-,= bytesx'), maxLength: 60 }),
  fc
    .array(fc.nat(200_000), { maxLength: 20 })
    .map((firsts) => `bytes=${firsts.map((f) => `${f}-${f + 9}`).join(', ')}`),
);
const ranges = fc
  .tuple(rangeTexts, fc.constantFrom('', 'If-Range: "v"\r\n', 'If-Range: W/"v"\r\n', 'If-Match: "x"\r\n'))
  .map(([range, rest]) => `GET /ram HTTP/1.1\r\nHost: a\r\nRange: ${range}\r\n${rest}\r\n`);

const chunkSizes = fc.constantFrom(
  '5',
  '05',
  '5;a',
  '5;a="',
  '0x5',
  '-5',
  '5 ',
  ' 5',
  'g',
  '',
  'ffffffffffffffff',
  '5\n',
  '5;\0',
  `5;${'e'.repeat(20_000)}`,
);
const chunkedBodies = fc
  .tuple(
    chunkSizes,
    mostly('\r\n', lineEnds),
    mostly('hello', fc.constantFrom('hell', 'hello!', '')),
    mostly('\r\n', lineEnds),
    fc.constantFrom('0\r\n\r\n', '0\r\nT: x\r\n\r\n', '0\r\n', '0\n\n', '', '00\r\n\r\n'),
  )
  .map((parts) => `POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${parts.join('')}`);

/** Two readings of where the content ends. Each has a smuggled request in what one of them takes for content. */
const smuggling = fc
  .tuple(
    fc.constantFrom(
      'Transfer-Encoding: chunked',
      'Transfer-Encoding : chunked',
      'Transfer-Encoding:\vchunked',
      'Transfer-Encoding: xchunked',
      'Transfer-Encoding: chunked, identity',
      'Transfer-Encoding: identity, chunked',
      'Transfer-Encoding\n : chunked',
      'X: y\nTransfer-Encoding: chunked',
      'X: y\rTransfer-Encoding: chunked',
      'X: y\r\n Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
      'Transfer-Encoding: chunked\r\nTransfer-Encoding: cow',
      'Transfer-Encoding: "chunked"',
      '\0Transfer-Encoding: chunked',
      'Content-Length: 0',
      'Content-Length: 6',
    ),
    fc.boolean(),
    fc.constantFrom('HTTP/1.1', 'HTTP/1.0'),
  )
  .map(([line, after, version]) => {
    const content = `0\r\n\r\n${smuggled}`;
    const length = `Content-Length: ${content.length}`;
    const lines = after ? `${length}\r\n${line}` : `${line}\r\n${length}`;
    return `POST /upload ${version}\r\nHost: a\r\n${lines}\r\n\r\n${content}`;
  });

const good = [
  'GET /ram HTTP/1.1\r\nHost: a\r\nRange: bytes=0-9, 20-29\r\nIf-Range: "v"\r\n\r\n',
  'POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  'POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  'GET http://a/ram HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /ram HTTP/1.1\r\nHost: a\r\n\r\n',
];
const mutations = fc
  .tuple(
    fc.constantFrom(...good),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom('insert', 'replace', 'drop', 'repeat', 'cut'), fc.nat(255)), {
      minLength: 1,
      maxLength: 5,
    }),
  )
  .map(([text, edits]) => edits.reduce((now, edit) => mutate(now, edit), text));

/** Whole inputs for one connection, as latin1 text. */
export const malformedInputs = fc.oneof(
  requestLines,
  headerSections,
  ranges,
  chunkedBodies,
  smuggling,
  mutations,
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  fc.array(mutations, { minLength: 2, maxLength: 4 }).map((several) => several.join('')),
);

function mutate(text: string, [place, kind, byte]: [number, string, number]): string {
  const at = place % (text.length + 1);
  const char = String.fromCharCode(byte);
  switch (kind) {
    case 'insert':
      return text.slice(0, at) + char + text.slice(at);
    case 'replace':
      return text.slice(0, at) + char + text.slice(at + 1);
    case 'drop':
      return text.slice(0, at) + text.slice(at + 1);
    case 'repeat':
      return text.slice(0, at) + text.slice(Math.max(0, at - 20));
    default:
      return text.slice(0, at);
  }
}

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
