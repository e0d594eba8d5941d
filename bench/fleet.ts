import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Program } from './packages.ts';
import { type EddyOptions, startEddy } from './servers/eddy.ts';
import { nginxVariants, startNginx } from './servers/nginx.ts';
import type { Server, ServerOptions } from './servers/server.ts';
import { startTrafficServer } from './servers/traffic-server.ts';
import { startVarnish } from './servers/varnish.ts';

/** A server that can be started, as `--servers` names it. */
export interface Contender {
  readonly id: string;
  readonly programs: readonly Program[];
  start(options: ServerOptions): Promise<Server>;
}

/** Everything that is compared; Eddy first. */
export function contenders({
  baseline,
  eddy,
}: {
  eddy?: string | undefined;
  baseline?: string | undefined;
}): readonly Contender[] {
  return [
    eddyContender('eddy', { ...(eddy !== undefined && { program: eddy }) }),
    ...(baseline === undefined
      ? []
      : [eddyContender('eddy-baseline', { program: baseline, name: 'Eddy (baseline)', reference: true })]),
    ...nginxVariants.map(
      (variant): Contender => ({
        id: variant.name.replaceAll(' ', '-'),
        programs: ['nginx'],
        start: async (options) => startNginx({ ...options, variant, version: await versionOf('nginx', '-v') }),
      }),
    ),
    varnishContender('varnish', {}),
    varnishContender('varnish-no-log', { accessLog: false }),
    {
      id: 'trafficserver',
      programs: ['traffic_server'],
      start: async (options) => startTrafficServer({ ...options, version: await versionOf('traffic_server', '-V') }),
    },
  ];
}

/** Starts them one after the other. What was started is the rig's to stop. */
export async function startAll(chosen: readonly Contender[], options: ServerOptions): Promise<readonly Server[]> {
  const servers: Server[] = [];
  for (const contender of chosen) servers.push(await contender.start(options));
  return servers;
}

function eddyContender(id: string, changes: Partial<EddyOptions>): Contender {
  return { id, programs: [], start: (options) => startEddy({ ...options, ...changes }) };
}

function varnishContender(id: string, changes: { accessLog?: false }): Contender {
  return {
    id,
    programs: ['varnishd', 'varnishncsa'],
    start: async (options) => {
      const version = await versionOf('varnishd', '-V');
      return startVarnish({
        ...options,
        ...changes,
        version,
        reference: changes.accessLog === false && options.accessLog,
      });
    },
  };
}

/** The first version number that the program prints about itself. */
async function versionOf(program: string, flag: string): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(program, [flag]);
  return /\d+\.\d+(\.\d+)?/.exec(stdout + stderr)?.[0] ?? 'unknown';
}
