import fc from 'fast-check';
import { malformedInputs } from './http-inputs.ts';

/** Requests that are plain, or nearly: what a viewer might send, in many spellings. */
const plainTargets = [
  ...['/ram', '/small', '/empty', '/vary', '/cors/ram', '/gone', '/passed', '/chunked'],
  ...[
    '/ram?x=1',
    '/ram?CMCD=br%3D1',
    '/r%61m',
    '/ram?x=100%',
    '/ram?%zz&%%32F',
    '/ra%6',
    '/error',
    '/nocontent',
    '/reset',
  ],
];
const targets = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom(...plainTargets) },
  {
    weight: 1,
    arbitrary: fc.string({ unit: fc.constantFrom(...'/.%aF0?&=;:@!$\'()*+,-_~[]|^`{}"<>\\# ') }).map((t) => `/${t}`),
  },
);
const methods = fc.oneof(
  { weight: 8, arbitrary: fc.constant('GET') },
  { weight: 3, arbitrary: fc.constant('HEAD') },
  { weight: 1, arbitrary: fc.constantFrom('OPTIONS', 'POST', 'DELETE', 'get', 'TRACE') },
);
const hosts = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.constantFrom('Host: a', 'host:a', 'HOST:   a.example:8080  ', 'Host: [::1]:80', 'Host: 127.0.0.1'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '',
      'Host:',
      'Host: a b',
      'Host: a,b',
      'Host: u@a',
      'Host: a\r\nHost: a',
      'Host : a',
      'Host: a:99999',
    ),
  },
);
const plainFields = fc.constantFrom(
  ...[
    'Accept: */*',
    'accept-encoding: gzip, br',
    'Accept-Encoding: identity',
    'User-Agent: Mozilla/5.0 (X; Y) z',
    'Origin: http://o',
  ],
  ...[
    'Connection: keep-alive',
    'connection: Keep-Alive',
    'Connection: close',
    'Cookie: a=b; c=d',
    'X-Empty:',
    'X:  spaced   out  ',
  ],
  ...[
    'Cache-Control: no-cache',
    'Cache-Control: max-age=0',
    'Pragma: no-cache',
    'If-None-Match: "v"',
    'If-None-Match: W/"v", "w"',
  ],
  ...[
    'If-None-Match: *',
    'If-Match: "other"',
    'If-Modified-Since: Sat, 01 Jan 2028 00:00:00 GMT',
    'If-Range: "v"',
    'If-Range: "w"',
  ],
  ...[
    'Range: bytes=0-9',
    'Range: bytes=5-',
    'Range: bytes=-7',
    'Range: bytes=0-0,5-9',
    'Range: bytes=999999-',
    'Range: lines=1-2',
  ],
);
const oddFields = fc.constantFrom(
  ...[
    'Connection: upgrade',
    'Upgrade: websocket',
    'Connection: x-a',
    'Connection: close, keep-alive',
    'Keep-Alive: 5',
    'TE: trailers',
  ],
  ...[
    'Content-Length: 0',
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip',
    'Expect: 100-continue',
  ],
  ...[
    'X: a\r\n b',
    'X: \x80\xff',
    'X: a\tb',
    'X: a\x01b',
    'X: a\x7f',
    'X : y',
    ': y',
    'no colon',
    'X\x00: y',
    'X(: y',
    'X: a\nY: b',
    'X: a\rb',
  ],
  ...['Proxy-Connection: keep-alive', 'HTTP2-Settings: x', 'Trailer: x', `Long: ${'l'.repeat(5000)}`],
);
const fields = fc.array(fc.oneof({ weight: 12, arbitrary: plainFields }, { weight: 1, arbitrary: oddFields }), {
  maxLength: 6,
});
const many = fc.nat(140).map((count) => Array.from({ length: count }, (_, i) => `X-${i}: ${i}`));
const versions = fc.oneof(
  { weight: 20, arbitrary: fc.constant('HTTP/1.1') },
  { weight: 1, arbitrary: fc.constantFrom('HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'HTTP/1.1 ', '') },
);
const lineEnds = fc.oneof(
  { weight: 30, arbitrary: fc.constant('\r\n') },
  { weight: 1, arbitrary: fc.constantFrom('\n', '\r', '\r\r\n') },
);

const nearlyPlain = fc
  .record({
    method: methods,
    target: targets,
    version: versions,
    host: hosts,
    fields: fc.oneof({ weight: 20, arbitrary: fields }, { weight: 1, arbitrary: many }),
    lineEnd: lineEnds,
    before: fc.oneof(
      { weight: 20, arbitrary: fc.constant('') },
      { weight: 1, arbitrary: fc.constantFrom('\r\n', '\n', ' ') },
    ),
  })
  .map(({ method, target, version, host, fields: lines, lineEnd, before }) => {
    const all = [`${method} ${target} ${version}`, ...(host === '' ? [] : [host]), ...lines];
    return `${before}${all.join(lineEnd)}${lineEnd}${lineEnd}`;
  });

const plain = fc
  .record({
    method: fc.constantFrom('GET', 'GET', 'HEAD'),
    target: fc.constantFrom(...plainTargets),
    fields: fc.array(plainFields, { maxLength: 8 }),
  })
  .map(({ method, target, fields: lines }) => {
    const single = lines.filter((line, i) => !/^connection/i.test(line) || i === 0);
    return `${[`${method} ${target} HTTP/1.1`, 'Host: a', ...single].join('\r\n')}\r\n\r\n`;
  });

const edited = fc
  .tuple(nearlyPlain, fc.nat(), fc.constantFrom('insert', 'replace', 'drop'), fc.nat(255))
  .map(([text, place, kind, byte]) => {
    const at = place % text.length;
    const char = kind === 'drop' ? '' : String.fromCharCode(byte);
    return text.slice(0, at) + char + text.slice(kind === 'insert' ? at : at + 1);
  });

const oneOrMore = fc.oneof(
  { weight: 4, arbitrary: plain },
  { weight: 2, arbitrary: fc.array(plain, { minLength: 2, maxLength: 12 }).map((all) => all.join('')) },
  { weight: 5, arbitrary: nearlyPlain },
  { weight: 3, arbitrary: fc.array(nearlyPlain, { minLength: 2, maxLength: 6 }).map((all) => all.join('')) },
  { weight: 3, arbitrary: edited },
  { weight: 2, arbitrary: malformedInputs },
  { weight: 1, arbitrary: fc.tuple(nearlyPlain, malformedInputs).map((both) => both.join('')) },
);

/** What one connection sends, as latin1 text, and where it is cut into writes. */
export const leanInputs = fc.record({
  text: oneOrMore,
  cuts: fc.oneof(
    { weight: 3, arbitrary: fc.constant<number[]>([]) },
    { weight: 2, arbitrary: fc.array(fc.nat(), { minLength: 1, maxLength: 5 }) },
  ),
});
