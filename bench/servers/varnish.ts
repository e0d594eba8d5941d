import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, until } from '../rig.ts';
import { answers } from '../verify.ts';
import { type Server, type ServerOptions, serverOf } from './server.ts';

const readyTimeoutMs = 10_000;

/** Varnish with all objects in memory; its access log is written by varnishncsa, as everywhere. It has no TLS. */
export async function startVarnish(options: ServerOptions & { version: string; reference: boolean }): Promise<Server> {
  const { rig, origin, accessLog, ramBytes, version, reference } = options;
  const directory = rig.makeDirectory('varnish');
  const port = await freePort();
  const { hostname, port: originPort } = new URL(origin);
  const program = join(directory, 'bench.vcl');
  writeFileSync(program, `vcl 4.1;\nbackend origin { .host = "${hostname}"; .port = "${originPort}"; }\n`);
  const command = ['varnishd', '-F', '-n', directory, '-f', program, '-a', `127.0.0.1:${port}`, '-T', 'none'];
  command.push('-j', 'none', '-s', `malloc,${ramBytes}`, '-p', 'listen_depth=4096', '-p', 'timeout_idle=300');
  const cache = rig.start(command, { core: rig.serverCore });
  const http = `http://127.0.0.1:${port}`;
  await answers(http, cache);
  const log = join(directory, 'access.log');
  const running = [cache];
  if (accessLog) {
    const writer = rig.start(['varnishncsa', '-n', directory, '-a', '-w', log], { core: rig.serverCore });
    await until(async () => statSync(log), { what: 'varnishncsa', timeoutMs: readyTimeoutMs, running: writer });
    running.push(writer);
  }
  return serverOf(running, {
    name: reference ? 'Varnish, no log' : 'Varnish',
    product: 'varnish',
    version,
    reference,
    http,
    https: undefined,
    logs: [log],
    // The id of this request, and, of a hit only, that of the request which brought the object.
    isHit: (fields) => /^\d+ \d+$/.test(fields.get('x-varnish') ?? ''),
  });
}
