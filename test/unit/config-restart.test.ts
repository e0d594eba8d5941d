import { expect, it } from 'vitest';
import { settingsForRestart } from '../../src/config/restart.ts';
import { configSchema } from '../../src/config.ts';
import { configOf } from '../support/config-load.ts';

const hexKey = '00112233445566778899aabbccddeeff'.repeat(2);
const pem = '-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n';
const files = { c: pem, d: pem, k: hexKey, l: hexKey.replaceAll('0', '1') };
const of = (values: object) =>
  configOf({ files: { ...files, 'eddy.yaml': JSON.stringify({ ...running, ...values }) } });
const running = {
  origin: 'http://a.example',
  https: '127.0.0.1:8443',
  tlsCert: 'c',
  tlsKey: 'c',
  adminToken: 'secret',
  cell: 'lobby',
  cellKey: 'k',
};
/** Another value of each setting that takes a restart. */
const others = {
  listen: '127.0.0.1:9000',
  https: '127.0.0.1:9443',
  admin: '127.0.0.1:9001',
  adminToken: 'other',
  data: 'elsewhere',
  ram: '32MiB',
  disk: '1GiB',
  cell: 'attic',
  cellKey: 'l',
  peerListen: '/ip4/0.0.0.0/tcp/4002',
  peer: '/ip4/10.0.0.2/tcp/4001',
  peering: { relay: true },
  workers: 2,
  accessLog: false,
  limits: { drainMs: 1_234 },
};

it.each(Object.entries(others))('another %s takes a restart', (key, value) => {
  expect(settingsForRestart(of({}), of({ [key]: value }))).toEqual([key]);
});

it('so do other files of the certificate, a credential instead of the key, and maps instead of the sample', () => {
  expect(settingsForRestart(of({}), of({ tlsCert: 'd' }))).toEqual(['tlsCert', 'tlsKey']);
  const config = of({});
  const member = { ...config, cell: { name: 'lobby', credential: { expires: 'some day' } as never } };
  expect(settingsForRestart(config, member)).toEqual(['cellKey', 'cellCredential']);
  expect(settingsForRestart(configOf({}), configOf({ argv: ['--origin', 'http://a.example'] }))).toEqual([
    'origin',
    'maps',
  ]);
});

it('what is taken over does not; no setting is forgotten', () => {
  expect(settingsForRestart(of({}), of({}))).toEqual([]);
  expect(settingsForRestart(of({}), of({ origin: 'http://b.example', logLevel: 'debug' }))).toEqual([]);
  const known = new Set([...Object.keys(others), 'tlsCert', 'tlsKey', 'cellCredential', 'origin', 'maps', 'logLevel']);
  // The token by another way.
  known.add('adminTokenFile');
  expect(Object.keys(configSchema.shape).filter((key) => !known.has(key))).toEqual([]);
});
