import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CellCredential, credentialText } from '../../src/config/cell-credential.ts';
import { policyOf } from '../../src/config/maps.ts';
import { uploadBytesPerSecond } from '../../src/config/peering.ts';
import { configOf, errorsOf } from '../support/config-load.ts';

const mebibyte = 1024 ** 2;
const gibibyte = 1024 ** 3;
const hexKey = '00112233445566778899aabbccddeeff'.repeat(2);

describe('without anything given', () => {
  it('is the sample origin on the documented addresses', () => {
    expect(configOf({})).toMatchObject({
      listen: [{ host: '0.0.0.0', port: 8080 }],
      https: [],
      tls: undefined,
      admin: { listen: { host: '127.0.0.1', port: 8081 }, token: undefined },
      dataDir: resolve('data'),
      cell: undefined,
      peerListen: ['/ip4/0.0.0.0/tcp/4001'],
      peers: [],
      workers: 3,
      logLevel: 'info',
      accessLog: true,
      maps: [],
    });
  });

  it('takes a quarter of memory up to 2 GiB, and 10 GiB of disk or 80% of what is free', () => {
    expect(configOf({})).toMatchObject({ ramBytesMax: 2 * gibibyte, diskBytesMax: 10 * gibibyte });
    expect(configOf({ diskFreeBytes: gibibyte }).diskBytesMax).toBe(Math.floor(0.8 * gibibyte));
    expect(configOf({ diskFreeBytes: mebibyte }).diskBytesMax).toBe(0);
  });
});

describe('sizes', () => {
  it.each([
    ['0', 0],
    ['268435456', 256 * mebibyte],
    ['256MiB', 256 * mebibyte],
    ['256mib', 256 * mebibyte],
    ['1.5GiB', 1536 * mebibyte],
    ['256 MiB', 256 * mebibyte],
    ['200MB', 200_000_000],
  ])('%s is %d bytes', (text, bytes) => {
    expect(configOf({ argv: ['--ram', text] }).ramBytesMax).toBe(bytes);
    expect(configOf({ files: { 'eddy.yaml': `ram: ${text}` } }).ramBytesMax).toBe(bytes);
  });

  it.each(['', '-1', '256M', '1e6', 'lots', '1TiB', '7'])('"%s" is no RAM budget', (text) => {
    const [error, ...others] = errorsOf({ argv: [`--ram=${text}`] });
    expect(error).toContain(`--ram is "${text}"`.replace('"1TiB"', '1TiB'));
    expect(others).toEqual([]);
  });

  it('below what a tier works with are said to be', () => {
    expect(errorsOf({ argv: ['--disk', '1MiB'] })).toEqual([
      '--disk is "1MiB": must be a size such as 256MiB, 10GiB or a number of bytes; 0, or at least 4MiB',
    ]);
  });
});

describe('precedence', () => {
  const files = { 'eddy.yaml': 'origin: http://file.example\nlogLevel: warn\nram: 64MiB\nlisten: 127.0.0.1:1' };

  it('flags win over the environment, the environment wins over the file', () => {
    const env = { EDDY_LOG_LEVEL: 'error', EDDY_RAM: '128MiB' };
    const config = configOf({ argv: ['--ram', '256MiB'], env, files });
    expect(config).toMatchObject({ ramBytesMax: 256 * mebibyte, logLevel: 'error', listen: [{ port: 1 }] });
    expect(config.maps).toMatchObject([{ name: 'default', prefix: '/', origins: ['http://file.example'] }]);
  });

  it('a repeated flag replaces the list of the file, and an environment list is separated by commas', () => {
    const argv = ['--listen', '127.0.0.1:2', '--listen=[::1]:3'];
    expect(configOf({ argv, files }).listen).toEqual([
      { host: '127.0.0.1', port: 2 },
      { host: '::1', port: 3 },
    ]);
    expect(configOf({ env: { EDDY_ORIGIN: 'http://a.example, http://b.example' }, files }).maps[0]?.origins).toEqual([
      'http://a.example',
      'http://b.example',
    ]);
  });

  it('the file may be named in the environment, and spell its keys like the flags', () => {
    const text = 'log-level: debug\ntls-cert: c.pem\ntls-key: k.pem\nhttps: [127.0.0.1:0]';
    const pem = (what: string) => `-----BEGIN ${what}-----\n`;
    const config = configOf({
      env: { EDDY_CONFIG: 'other.yaml' },
      files: { 'other.yaml': text, 'c.pem': pem('CERTIFICATE'), 'k.pem': pem('EC PRIVATE KEY') },
    });
    expect(config.logLevel).toBe('debug');
    expect(config.tls).toEqual({ certFile: resolve('c.pem'), keyFile: resolve('k.pem') });
  });

  it('variables that are not options are left alone', () => {
    expect(errorsOf({ env: { EDDY_PORT: 'tcp://10.0.0.1:8080', EDDY_SERVICE_HOST: '10.0.0.1' } })).toEqual([]);
  });
});

describe('the upload to peers', () => {
  const text = [
    'peering:',
    '  uploadBytesPerSecond: 2MiB',
    '  uploadSchedule:',
    "    - {from: '23:00', to: '06:30', uploadBytesPerSecond: 0}",
    "    - {from: '12:00', to: '13:00', uploadBytesPerSecond: 64KiB}",
  ].join('\n');
  const at = (hours: number, minutes: number) => new Date(2026, 10, 21, hours, minutes).getTime();

  it('follows the time of day', () => {
    const { peering } = configOf({ files: { 'eddy.yaml': text } });
    const rates = [at(22, 59), at(23, 0), at(6, 29), at(6, 30), at(12, 30), at(13, 0)].map((nowMs) =>
      uploadBytesPerSecond(peering, nowMs),
    );
    expect(rates).toEqual([2 * mebibyte, Infinity, Infinity, 2 * mebibyte, 65_536, 2 * mebibyte]);
    expect(uploadBytesPerSecond(configOf({}).peering, at(1, 1))).toBe(Infinity);
  });

  it('is told what is wrong with it', () => {
    const file = "peering:\n  uploadSchedule:\n    - {from: '24:00', to: '06:30', uploadBytesPerSecond: 0, form: 1}";
    const errors = errorsOf({ files: { 'eddy.yaml': file } });
    expect(errors.join('\n')).toMatch(/from.*24:00.*HH:MM/);
    expect(errors.join('\n')).toMatch(/form.*from/);
  });
});

describe('origins and maps', () => {
  const files = {
    'eddy.yaml': `
maps:
  - name: root
    origins: [https://old.example]
    host: media.example
    headers: { Authorization: Bearer abc }
    lifetimes: { segmentSeconds: 60 }
  - name: live
    prefix: /live
    origins: [https://live.example/base]
`,
  };

  it('become policies, with their own targeted field before CDN-Cache-Control', () => {
    const [root, live] = configOf({ files }).maps.map(policyOf);
    expect(root).toMatchObject({ name: 'root', prefix: '/', segmentLifetimeSeconds: 60, cors: false });
    expect(live).toMatchObject({
      prefix: '/live',
      targetedFields: ['eddy-cache-control', 'cdn-cache-control'],
      segmentLifetimeSeconds: 3600,
      heuristicFraction: 0.1,
      heuristicLifetimeSecondsMax: 86_400,
      negativeLifetimeSeconds: 2,
      staleWhileRevalidateSeconds: 0,
      staleIfErrorSeconds: 600,
      requestDirectives: true,
    });
  });

  it('--origin replaces the origins of the map for /, and no credentials written for others go there', () => {
    const [root, live] = configOf({ argv: ['--origin', 'http://new.example'], files }).maps;
    expect(root).toMatchObject({ name: 'root', origins: ['http://new.example'], lifetimes: { segmentSeconds: 60 } });
    expect(root).toMatchObject({ headers: {} });
    expect(root).not.toHaveProperty('host');
    expect(live?.origins).toEqual(['https://live.example/base']);
  });

  it('may not serve one prefix twice', () => {
    const text = `origin: http://a.example\n${files['eddy.yaml']}\n  - {name: live, prefix: /live, origins: [http://x.example]}`;
    expect(errorsOf({ files: { 'eddy.yaml': text } })).toEqual([
      'maps has "live" as name more than once: must differ',
      'maps has "/live" as prefix more than once: must differ',
      'origin (eddy.yaml:1) and the map root both serve /: must be one of them',
    ]);
  });

  it.each([
    'ftp://a.example',
    'a.example',
    'http://',
    'http://u:p@a.example',
    'http://a.example/?x=1',
    'http://a.example/#x',
    'file:///etc/passwd',
  ])('%s is no origin', (url) => {
    const errors = errorsOf({ argv: ['--origin', url] });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(/^--origin is ".*": must be an http or https URL without user/);
    expect(errors[0]).not.toContain('u:p');
  });
});

describe('the cell', () => {
  it('has a name and a key of 32 bytes', () => {
    const argv = ['--cell', 'lobby', '--cell-key', 'cell.key'];
    const { cell } = configOf({ argv, files: { 'cell.key': `${hexKey}\n` } });
    expect(cell?.name).toBe('lobby');
    expect(Buffer.from(cell?.key ?? []).toString('hex')).toBe(hexKey);
  });

  it('is an error without a key, as is a key without a cell', () => {
    expect(errorsOf({ argv: ['--cell', 'lobby'] })).toEqual([
      'cellKey (--cell-key) is missing: must be a file with 64 hex digits, given with --cell, or cellCredential (--cell-credential) instead',
    ]);
    expect(errorsOf({ argv: ['--cell-key', 'cell.key'], files: { 'cell.key': hexKey } })).toEqual([
      'cell (--cell) is missing: must be given with --cell-key',
    ]);
  });

  it.each([hexKey.slice(1), `${hexKey}0`, hexKey.replace('0', 'g'), ''])('does not take the key file %j', (text) => {
    const errors = errorsOf({ argv: ['--cell', 'lobby', '--cell-key', 'cell.key'], files: { 'cell.key': text } });
    expect(errors).toEqual([
      '--cell-key is "cell.key": must be a file that holds 32 bytes as 64 hex digits, as "openssl rand -hex 32" makes it',
    ]);
  });
});

describe('a credential for the cell', () => {
  const credential: CellCredential = {
    cell: 'lobby',
    publicKey: Buffer.alloc(32, 1),
    peerId: `12D3KooW${'a'.repeat(44)}`,
    expiresMs: Date.UTC(2027, 0, 31),
    signature: Buffer.alloc(64, 2),
  };
  const argv = ['--cell', 'lobby', '--cell-credential', 'node.json'];

  it('takes the place of the key', () => {
    const { cell } = configOf({ argv, files: { 'node.json': credentialText(credential) } });
    expect(cell).toEqual({ name: 'lobby', credential });
  });

  it('is for this cell, well formed, and not given beside the key', () => {
    const text = credentialText(credential);
    expect(errorsOf({ argv, files: { 'node.json': credentialText({ ...credential, cell: 'attic' }) } })).toEqual([
      '--cell-credential is "node.json": must be a credential for the cell lobby, not for attic',
    ]);
    for (const bad of ['', '[]', text.replace('peerId', 'peer'), text.replace('2027', 'year'), text.replace('02', 'x')])
      expect(errorsOf({ argv, files: { 'node.json': bad } })).toEqual([
        '--cell-credential is "node.json": must be a file as "eddy credential" makes it',
      ]);
    expect(errorsOf({ argv: [...argv, '--cell-key', 'k'], files: { 'node.json': text, k: hexKey } })).toEqual([
      '--cell-key and --cell-credential are both given: must be one of them',
    ]);
    expect(errorsOf({ argv: argv.slice(2), files: { 'node.json': text } })).toEqual([
      'cell (--cell) is missing: must be given with --cell-credential',
    ]);
  });
});

describe('the admin listener', () => {
  it('needs a token beyond loopback', () => {
    expect(errorsOf({ argv: ['--admin', '0.0.0.0:8081'] })).toEqual([
      '--admin is "0.0.0.0:8081": must be on loopback (127.0.0.1, [::1]), or guarded by --admin-token or --admin-token-file',
    ]);
    for (const admin of ['127.0.0.1:0', '127.8.0.1:0', '[::1]:0', 'localhost:0']) {
      expect(errorsOf({ argv: ['--admin', admin] })).toEqual([]);
    }
  });

  it('takes the token from a flag or a file, the one of higher precedence', () => {
    const files = { 'eddy.yaml': 'admin: 0.0.0.0:1\nadminTokenFile: token', token: 'from file\n' };
    expect(configOf({ files }).admin.token).toBe('from file');
    expect(configOf({ argv: ['--admin-token', 'from flag'], files }).admin.token).toBe('from flag');
    expect(errorsOf({ argv: ['--admin-token', 'a', '--admin-token-file', 'token'], files })).toEqual([
      '--admin-token and --admin-token-file are both given: must be one of them',
    ]);
  });
});

describe('HTTPS', () => {
  it('needs a certificate and its key', () => {
    expect(errorsOf({ argv: ['--https', '0.0.0.0:8443'] })).toEqual([
      'tlsCert and tlsKey are missing: must be given with --https',
    ]);
    expect(errorsOf({ argv: ['--https', '0.0.0.0:8443', '--tls-cert', 'c'], files: { c: 'no pem' } })).toEqual([
      'tlsKey is missing: must be given with --tls-cert',
      '--tls-cert is "c": must be a PEM file with a certificate',
    ]);
  });
});
