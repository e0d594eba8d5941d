import { resolve } from 'node:path';
import type { Config, ConfigKey, ConfigValues } from '../config.ts';
import { isLoopback } from '../loopback.ts';
import { type CellCredential, parseCredential } from './cell-credential.ts';
import type { LoadOptions } from './load.ts';
import { type MapConfig, mapWithDefaults } from './maps.ts';
import { sizeText } from './values.ts';
import { hostAndPort } from '../listening.ts';

/** What the values are held against: each other, the machine, and the files they name. */
export interface CrossChecks extends Omit<LoadOptions, 'argv' | 'env'> {
  /** Keys that were given: how they are named in errors, and the precedence of where they were (file 0, flags 2). */
  readonly given: Map<ConfigKey, { readonly rank: number; readonly name: string }>;
}

const gibibyte = 1024 ** 3;
const ramDefaultMax = 2 * gibibyte;
const diskDefaultMax = 10 * gibibyte;

/**
 * The configuration of values that are each valid, or what is wrong with them together. Keys that are not valid are
 * absent, and what depends on them is not checked.
 */
export function combine(
  values: Partial<ConfigValues>,
  checks: CrossChecks,
): { config?: Config; errors?: readonly string[] } {
  const errors: string[] = [];
  const context: Context = { values, checks, errors };
  const tls = tlsOf(context);
  const token = tokenOf(context);
  const cell = cellOf(context);
  const maps = mapsOf(context);
  const ramBytesMax = ramOf(context);
  checkAdmin(context, token);
  checkAddresses(context);
  if (errors.length > 0) return { errors };

  const { listen, https, admin, data, peerListen, peer, peering, logLevel, accessLog, limits } = values;
  // Absent only if the value is in error, which the caller reports.
  if (!listen || !https || !admin || !data || !peerListen || !peer || !peering || !logLevel || !limits) return {};
  const dataDir = resolve(data);
  return {
    config: {
      listen,
      https,
      tls,
      admin: { listen: admin, token },
      dataDir,
      ramBytesMax,
      diskBytesMax: values.disk ?? diskDefault(checks.diskFreeBytes(dataDir)),
      cell,
      peerListen,
      peers: peer,
      workers: values.workers ?? workersFor(checks.cores),
      logLevel,
      accessLog: accessLog ?? true,
      maps,
      peering,
      limits,
    },
  };
}

/** One core is left to what is not HTTP; with two, one thread does all with less CPU (docs/decisions/workers.md). */
function workersFor(cores: number): number {
  return cores < 3 ? 1 : cores - 1;
}

interface Context {
  readonly values: Partial<ConfigValues>;
  readonly checks: CrossChecks;
  readonly errors: string[];
}

function tlsOf({ values, checks, errors }: Context): Config['tls'] {
  const { tlsCert, tlsKey, https } = values;
  const { given } = checks;
  for (const [one, other] of [['tlsCert', 'tlsKey'] as const, ['tlsKey', 'tlsCert'] as const]) {
    if (given.has(one) && !given.has(other))
      errors.push(`${other} is missing: must be given with ${given.get(one)?.name}`);
  }
  if (https && https.length > 0 && !given.has('tlsCert') && !given.has('tlsKey')) {
    errors.push(`tlsCert and tlsKey are missing: must be given with ${given.get('https')?.name}`);
  }
  if (given.has('tlsCert') && https?.length === 0) {
    errors.push(`https is missing: must be given with ${given.get('tlsCert')?.name}, or nothing uses the certificate`);
  }
  const cert = readPem('tlsCert', { values, checks, errors });
  const key = readPem('tlsKey', { values, checks, errors });
  if (!cert || !key || tlsCert === undefined || tlsKey === undefined) return undefined;
  return { certFile: resolve(tlsCert), keyFile: resolve(tlsKey) };
}

function readPem(key: 'tlsCert' | 'tlsKey', context: Context): boolean {
  const what = key === 'tlsCert' ? 'CERTIFICATE' : 'PRIVATE KEY';
  const text = readGiven(key, context);
  if (text === undefined) return false;
  if (new RegExp(`-----BEGIN [A-Z ]*${what}-----`).test(text)) return true;
  complain(key, context, `a PEM file with a ${what.toLowerCase()}`);
  return false;
}

function tokenOf(context: Context): string | undefined {
  const { values, checks, errors } = context;
  const direct = checks.given.get('adminToken');
  const file = checks.given.get('adminTokenFile');
  if (direct !== undefined && direct.rank === file?.rank) {
    errors.push(`${direct.name} and ${file.name} are both given: must be one of them`);
  }
  if (file === undefined || (direct !== undefined && direct.rank > file.rank)) return values.adminToken;
  const token = readGiven('adminTokenFile', context)?.trim();
  if (token === undefined) return undefined;
  if (token !== '' && token.length <= 1024 && !/\p{Cc}/u.test(token)) return token;
  complain('adminTokenFile', context, 'a file with the secret on one line, 1 to 1024 characters');
  return undefined;
}

function cellOf(context: Context): Config['cell'] {
  const { values, checks, errors } = context;
  const { given } = checks;
  const [cell, cellKey, cellCredential] = [given.get('cell'), given.get('cellKey'), given.get('cellCredential')];
  if (cellKey !== undefined && cellCredential !== undefined)
    errors.push(`${cellKey.name} and ${cellCredential.name} are both given: must be one of them`);
  const proof = cellKey ?? cellCredential;
  if (cell !== undefined && proof === undefined)
    errors.push(
      `cellKey (--cell-key) is missing: must be a file with 64 hex digits, given with ${cell.name}, or cellCredential (--cell-credential) instead`,
    );
  if (cell === undefined && proof !== undefined)
    errors.push(`cell (--cell) is missing: must be given with ${proof.name}`);
  const key = cellKeyOf(context);
  const credential = cellCredentialOf(context);
  const { cell: name } = values;
  if (name === undefined) return undefined;
  if (key !== undefined) return { name, key };
  return credential && { name, credential };
}

function cellKeyOf(context: Context): Uint8Array | undefined {
  const text = readGiven('cellKey', context)?.trim();
  if (text === undefined) return undefined;
  if (/^[0-9A-Fa-f]{64}$/.test(text)) return Buffer.from(text, 'hex');
  complain('cellKey', context, 'a file that holds 32 bytes as 64 hex digits, as "openssl rand -hex 32" makes it');
  return undefined;
}

function cellCredentialOf(context: Context): CellCredential | undefined {
  const text = readGiven('cellCredential', context);
  if (text === undefined) return undefined;
  const credential = parseCredential(text);
  const { cell } = context.values;
  if (credential === undefined) complain('cellCredential', context, 'a file as "eddy credential" makes it');
  else if (cell !== undefined && credential.cell !== cell)
    complain('cellCredential', context, `a credential for the cell ${cell}, not for ${credential.cell}`);
  return credential;
}

/** The maps of the file, with `origin` as the origins of the one for /. */
function mapsOf({ values, checks, errors }: Context): readonly MapConfig[] {
  const { maps = [], origin } = values;
  for (const [key, of] of [
    ['name', (map: MapConfig) => map.name],
    ['prefix', (map: MapConfig) => map.prefix],
  ] as const) {
    const repeated = maps.filter((map, i) => maps.findIndex((other) => of(other) === of(map)) < i);
    for (const map of repeated)
      errors.push(`maps has ${JSON.stringify(of(map))} as ${key} more than once: must differ`);
  }
  if (origin === undefined) return maps;
  const originGiven = checks.given.get('origin');
  const root = maps.find((map) => map.prefix === '/');
  if (root === undefined) {
    const name = maps.some((map) => map.name === 'default') ? 'default-root' : 'default';
    return [...maps, mapWithDefaults({ name, origins: origin })];
  }
  if (originGiven?.rank === 0) {
    errors.push(`${originGiven.name} and the map ${root.name} both serve /: must be one of them`);
  }
  // The Host and the credentials belong to the origins they were written for.
  const { host: _host, ...policy } = root;
  return maps.map((map) => (map === root ? { ...policy, origins: origin, headers: {} } : map));
}

function ramOf({ values, checks, errors }: Context): number {
  const { memoryBytes, given } = checks;
  const ram = values.ram ?? Math.min(Math.floor(memoryBytes / 4), ramDefaultMax);
  if (ram > memoryBytes) {
    const most = `at most the memory there is, ${sizeText(Math.floor(memoryBytes / 1024 ** 2) * 1024 ** 2)}`;
    errors.push(`${given.get('ram')?.name} is ${sizeText(ram)}: must be ${most}`);
  }
  return ram;
}

/** Below the least the disk tier works with, it is off. */
function diskDefault(freeBytes: number): number {
  const bytes = Math.min(diskDefaultMax, Math.floor(freeBytes * 0.8));
  return bytes < 64 * 1024 ** 2 ? 0 : bytes;
}

function checkAdmin({ values, checks, errors }: Context, token: string | undefined): void {
  const { admin } = values;
  const { given } = checks;
  if (admin === undefined || isLoopback(admin.host) || token !== undefined) return;
  if (given.has('adminToken') || given.has('adminTokenFile')) return;
  errors.push(
    `${given.get('admin')?.name} is ${JSON.stringify(hostAndPort(admin))}: must be on loopback (127.0.0.1, [::1]), or guarded by --admin-token or --admin-token-file`,
  );
}

function checkAddresses({ values: { listen, https, admin }, errors }: Context): void {
  const all = [...(listen ?? []), ...(https ?? []), ...(admin ? [admin] : [])];
  if (listen?.length === 0 && https?.length === 0) errors.push('listen and https are empty: must name an address');
  const texts = all.filter(({ port }) => port !== 0).map(hostAndPort);
  const repeated = new Set(texts.filter((text, i) => texts.indexOf(text) < i));
  for (const text of repeated) errors.push(`${JSON.stringify(text)} is given to two listeners: must be given to one`);
}

type FileKey = 'tlsCert' | 'tlsKey' | 'adminTokenFile' | 'cellKey' | 'cellCredential';

/** Text of the file that a key names; undefined when it is not given or, with a complaint, cannot be read. */
function readGiven(key: FileKey, context: Context): string | undefined {
  const path = context.values[key];
  if (path === undefined) return undefined;
  try {
    return context.checks.readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    complain(key, context, `a file that can be read (${code ?? String(error)})`);
    return undefined;
  }
}

/** Files are named, what is in them is not shown. */
function complain(key: ConfigKey, { values, checks, errors }: Context, right: string): void {
  errors.push(`${checks.given.get(key)?.name ?? key} is ${JSON.stringify(values[key])}: must be ${right}`);
}
