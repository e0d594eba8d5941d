import { resolve } from 'node:path';
import type { Config, ConfigValues } from '../config.ts';
import { hostAndPort } from '../listening.ts';
import { isLoopback } from '../loopback.ts';
import { type Checked, type CrossChecks, cellOf, tlsOf, tokenOf } from './given-files.ts';
import { type MapConfig, mapWithDefaults } from './maps.ts';
import { sizeText } from './values.ts';

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
  const checked: Checked = { values, checks, errors };
  const tls = tlsOf(checked);
  const token = tokenOf(checked);
  const cell = cellOf(checked);
  const maps = mapsOf(checked);
  const ramBytesMax = ramOf(checked);
  checkAdmin(checked, token);
  checkAddresses(checked);
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

/** The maps of the file, with `origin` as the origins of the one for /. */
function mapsOf({ values, checks, errors }: Checked): readonly MapConfig[] {
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

function ramOf({ values, checks, errors }: Checked): number {
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

function checkAdmin({ values, checks, errors }: Checked, token: string | undefined): void {
  const { admin } = values;
  const { given } = checks;
  if (admin === undefined || isLoopback(admin.host) || token !== undefined) return;
  if (given.has('adminToken') || given.has('adminTokenFile')) return;
  errors.push(
    `${given.get('admin')?.name} is ${JSON.stringify(hostAndPort(admin))}: must be on loopback (127.0.0.1, [::1]), or guarded by --admin-token or --admin-token-file`,
  );
}

function checkAddresses({ values: { listen, https, admin }, errors }: Checked): void {
  const all = [...(listen ?? []), ...(https ?? []), ...(admin ? [admin] : [])];
  if (listen?.length === 0 && https?.length === 0) errors.push('listen and https are empty: must name an address');
  const texts = all.filter(({ port }) => port !== 0).map(hostAndPort);
  const repeated = new Set(texts.filter((text, i) => texts.indexOf(text) < i));
  for (const text of repeated) errors.push(`${JSON.stringify(text)} is given to two listeners: must be given to one`);
}
