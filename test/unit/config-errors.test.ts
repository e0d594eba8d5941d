import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errorsOf, load } from '../support/config-load.ts';
import { fuzzSeed } from '../support/fuzz.ts';

describe('errors', () => {
  it('come all at once, each with the key, its value, where it is and what is right', () => {
    const text = `
listen: [0.0.0.0:99999]
workrs: 3
maps:
  - name: a b
    origins: []
    prefix: live
    lifetimes:
      segmentSecond: 3
      negativeSeconds: soon
    cors: maybe
  - origins: [http://a.example]
limits:
  headBytesMax: 1
`;
    const argv = ['--ram', 'lots', '--log-level', 'loud', '--peer', '10.0.0.1:4001', '--workers', '0'];
    const env = { EDDY_DISK: 'big' };
    expect(errorsOf({ argv, env, files: { 'eddy.yaml': text } })).toEqual([
      'workrs (eddy.yaml:3) is not a key: did you mean workers?',
      'listen[0] (eddy.yaml:2) is "0.0.0.0:99999": must be HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8080, localhost:0 or [::1]:8080',
      '--ram is "lots": must be a size such as 256MiB, 10GiB or a number of bytes; 0, or at least 64KiB',
      'EDDY_DISK is "big": must be a size such as 256MiB, 10GiB or a number of bytes; 0, or at least 4MiB',
      '--peer is "10.0.0.1:4001": must be a multiaddr such as /ip4/192.0.2.1/tcp/4001, /dns4/edge.example/tcp/4001 or one of these with /p2p/PEER-ID',
      '--workers is 0: must be a whole number from 1 to 256',
      '--log-level is "loud": must be one of trace, debug, info, warn, error, fatal, silent',
      'maps[0].name (eddy.yaml:5) is "a b": must be a name of letters, digits, dots, hyphens and underscores, at most 64 characters',
      'maps[0].prefix (eddy.yaml:7) is "live": must be a path that starts with /, without query, fragment, spaces and dot segments, such as /vod',
      'maps[0].origins (eddy.yaml:6) is a list of 0: must be a list of 1 to 16 URLs',
      'maps[0].cors (eddy.yaml:11) is "maybe": must be true or false',
      'maps[0].lifetimes.negativeSeconds (eddy.yaml:10) is "soon": must be a whole number from 0 to 86400',
      'maps[0].lifetimes.segmentSecond (eddy.yaml:9) is not a key: did you mean segmentSeconds?',
      'maps[1].name (eddy.yaml:12) is missing: must be a name of letters, digits, dots, hyphens and underscores, at most 64 characters',
      'limits.headBytesMax (eddy.yaml:14) is 1: must be a whole number from 1024 to 1048576',
    ]);
  });

  it.each([
    '/ip4/999.1.1.1/tcp/4001',
    '/ip4/::1/tcp/4001',
    '/ip6/1::2::3/tcp/4001',
    '/ip4/192.0.2.1/tcp/70000',
    '/ip4/192.0.2.1/tcp',
    '/ip4/192.0.2.1/udp/4001',
    '/ip4/192.0.2.1/tcp/4001/p2p/garbage',
    '/dns4/edge.example',
  ])('name the multiaddr %s', (address) => {
    for (const option of ['--peer', '--peer-listen'])
      expect(errorsOf({ argv: [option, address] })).toEqual([
        expect.stringMatching(new RegExp(`^${option} is "${address}": must be a multiaddr such as /ip4/`)),
      ]);
  });

  it.each([
    '/ip4/192.0.2.1/tcp/0',
    '/ip6/::1/tcp/4001',
    '/dns4/edge.example/tcp/4001/p2p/12D3KooWBwSS9bkjZQuxARV4xFL2HYYCPRWYYCvhUe24VyuY1VVG',
    '/dnsaddr/edge.example',
    '/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWBwSS9bkjZQuxARV4xFL2HYYCPRWYYCvhUe24VyuY1VVG/p2p-circuit',
    '/ip4/192.0.2.1/tcp/4001/p2p/bafzaajaiaejcamuj7tupvbpwe3odl2ox7nlgzkxqrqggwa2oohdi5jy5fqqbg3aw',
  ])('do not name the multiaddr %s', (address) => {
    expect(errorsOf({ argv: ['--peer', address] })).toEqual([]);
  });

  it('name unknown options and offer the nearest', () => {
    expect(errorsOf({ argv: ['--orign', 'http://a.example', '--frobnicate', 'serve', '--ram', '--disk=0'] })).toEqual([
      '--orign is not an option: did you mean --origin?',
      '--frobnicate is not an option: see --help',
      '--ram has no value: must be followed by SIZE',
    ]);
    expect(errorsOf({ argv: ['serve', '--ram', '0', '--ram', '1GiB'] })).toEqual([
      '"serve" is not an option: options start with --',
      '--ram is given more than once: must be given once',
    ]);
  });

  it('tell what is wrong with the file itself', () => {
    expect(errorsOf({ argv: ['--config', 'gone.yaml'] })).toEqual([
      '--config is "gone.yaml": must be a file that can be read (ENOENT)',
    ]);
    expect(errorsOf({ files: { 'eddy.yaml': '- a\n- b' } })).toEqual(['eddy.yaml must be a mapping of keys to values']);
    expect(errorsOf({ files: { 'eddy.yaml': 'ram: 1GiB\nram: 2GiB' } })[0]).toMatch(
      /^eddy\.yaml:2: Map keys must be unique/,
    );
    expect(errorsOf({ files: { 'eddy.yaml': 'cellKey: a\ncell-key: b' } })).toContain(
      'eddy.yaml: cellKey is given more than once',
    );
    const bomb = `a: &a [x]\n${'bcdefgh'.replaceAll(/./g, (c) => `${c}: &${c} [${`*${String.fromCharCode(c.charCodeAt(0) - 1)},`.repeat(9)}]\n`)}`;
    expect(errorsOf({ files: { 'eddy.yaml': bomb } })).toEqual([
      'eddy.yaml uses aliases too often: must be smaller when they are written out',
    ]);
    expect(errorsOf({ files: { 'eddy.yaml': 'listen: [a' } })[0]).toMatch(/^eddy\.yaml:1: /);
    expect(errorsOf({ files: { 'eddy.yaml': '__proto__: {}\ntoString: 1' } })).toHaveLength(2);
  });

  it('hold values against each other and the machine', () => {
    const argv = ['--listen', '127.0.0.1:1', '--admin', '127.0.0.1:1', '--ram', '16GiB'];
    expect(errorsOf({ argv })).toEqual([
      '--ram is 16GiB: must be at most the memory there is, 8GiB',
      '"127.0.0.1:1" is given to two listeners: must be given to one',
    ]);
  });

  it('never show a secret', () => {
    const secret = 'hunter2';
    const text = `
adminToken: [${secret}]
adminTokn: ${secret}
origin: https://user:${secret}@a.example
maps:
  - name: a
    origins: ['https://a.example/?token=${secret}', '${secret}@b']
    headers: { Authorization: [${secret}], 'X Y': ${secret}, Z: "a\\nb ${secret}" }
`;
    const argv = ['--admin-tokn', secret, '--cell', 'a', '--cell-key', 'cell.key', '--admin-token-file', 'token'];
    const files = { 'eddy.yaml': text, 'cell.key': secret, token: `${secret}\nmore` };
    const errors = errorsOf({ argv, files });
    expect(errors.length).toBeGreaterThan(8);
    expect(errors.filter((error) => error.includes(secret))).toEqual([]);
  });
});

describe('whatever is given', () => {
  it('is a configuration or errors of one line, never an exception', () => {
    const words = ['--ram', '--listen', '--config', 'eddy.yaml', '--', '-', '--=', '--x=y', '--peer', '=', '', '\0'];
    const argument = fc.oneof(fc.constantFrom(...words), fc.string());
    fc.assert(
      fc.property(fc.array(argument, { maxLength: 8 }), fc.anything({ maxDepth: 3 }), (argv, value) => {
        const { config, errors } = load({ argv, files: { 'eddy.yaml': asYaml(value) } });
        expect(config === undefined).toBe(errors !== undefined);
        for (const error of errors ?? []) expect(error).not.toBe('');
      }),
      { seed: fuzzSeed, numRuns: 1_000 },
    );
  });

  it('is not confused by any value of any key', () => {
    const keys = ['origin', 'listen', 'admin', 'ram', 'maps', 'limits', 'cell', 'cellKey', 'peer', 'accessLog', 'data'];
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.jsonValue(), (key, value) => {
        const { errors } = load({ files: { 'eddy.yaml': JSON.stringify({ [key]: value }) } });
        for (const error of errors ?? []) expect(error).toContain(key);
      }),
      { seed: fuzzSeed, numRuns: 2_000 },
    );
  });
});

/** YAML is a superset of JSON; what JSON cannot say is text. */
function asYaml(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return String(typeof value);
  }
}
