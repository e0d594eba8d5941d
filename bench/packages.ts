import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs the bench runs, and the Debian package of each. */
const packages = {
  taskset: 'util-linux',
  wrk: 'wrk',
  ss: 'iproute2',
  nginx: 'nginx-light',
  varnishd: 'varnish',
  varnishncsa: 'varnish',
  traffic_server: 'trafficserver',
} as const;

export type Program = keyof typeof packages;

/** Where Debian keeps servers; a user's PATH often leaves it out. */
const serverDirectories = ['/usr/sbin', '/usr/local/sbin'];

/** PATH with the directories of servers. */
export function searchPath(path = process.env['PATH'] ?? ''): string {
  const directories = path.split(delimiter).filter((each) => each !== '');
  return [...new Set([...directories, ...serverDirectories])].join(delimiter);
}

/** Packages to install before these programs can be run. */
export function missingPackages(
  programs: readonly Program[],
  exists: (program: string) => boolean = isInstalled,
): readonly string[] {
  const missing = programs.filter((program) => !exists(program));
  return [...new Set(missing.map((program) => packages[program]))].sort();
}

function isInstalled(program: string): boolean {
  return searchPath()
    .split(delimiter)
    .some((directory) => isExecutable(join(directory, program)));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
