import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, until } from '../rig.ts';
import { type Server, type ServerOptions, serverOf } from './server.ts';

const eddyProgram = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const readyTimeoutMs = 30_000;

export interface EddyOptions extends ServerOptions {
  /** Default: the program of this checkout. */
  readonly program?: string;
  readonly name?: string;
  readonly reference?: boolean;
  /** More options of the command line. */
  readonly args?: readonly string[];
}

/** Eddy, and where its admin interface is. */
export interface EddyServer extends Server {
  readonly admin: string;
  /** Where peers reach it; empty without a cell. */
  readonly peer: string;
}

/** A node as users start it: `node src/main.ts --origin …`. */
export async function startEddy(options: EddyOptions): Promise<EddyServer> {
  const { rig, origin, certificate, accessLog, ramBytes, diskBytes, program = eddyProgram } = options;
  const directory = rig.makeDirectory('eddy');
  const httpsPort = await freePort();
  const config = join(directory, 'eddy.yaml');
  writeFileSync(config, `accessLog: ${accessLog}\n`);
  const command = [process.execPath, program, '--config', config, '--origin', origin];
  command.push('--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--data', join(directory, 'data'));
  command.push('--ram', String(ramBytes), '--disk', String(diskBytes), '--workers', String(options.workers ?? 1));
  command.push('--https', `127.0.0.1:${httpsPort}`);
  command.push('--tls-cert', certificate.certFile, '--tls-key', certificate.keyFile, ...(options.args ?? []));
  const running = rig.start(command, { core: options.cores ?? rig.serverCore });
  const ready = await until(async () => readyLine(readFileSync(running.log, 'utf8')), {
    what: 'Eddy',
    timeoutMs: readyTimeoutMs,
    running,
  });
  const server = serverOf([running], {
    name: options.name ?? 'Eddy',
    product: 'eddy',
    version: `on Node ${process.versions.node}`,
    reference: options.reference ?? false,
    http: ready.http,
    https: `https://127.0.0.1:${httpsPort}`,
    isHit: (fields) => /\beddy; *hit\b/.test(fields.get('cache-status') ?? ''),
  });
  return { ...server, admin: ready.admin, peer: ready.peer };
}

/** The addresses in the line that says that a node is ready. Throws when there is none yet. */
export function readyLine(log: string): { readonly http: string; readonly admin: string; readonly peer: string } {
  const line = log.split('\n').find((each) => each.includes('"msg":"ready"'));
  if (line === undefined) throw new Error('no line with "msg":"ready" yet');
  const { http, admin, peers } = JSON.parse(line) as {
    http: readonly string[];
    admin: string;
    peers?: readonly string[];
  };
  const first = http.find((url) => url.startsWith('http:'));
  if (first === undefined) throw new Error(`no address in the ready line ${line}`);
  return { http: first.replace(/\/$/, ''), admin: admin.replace(/\/$/, ''), peer: peers?.[0] ?? '' };
}
