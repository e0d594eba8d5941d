import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../rig.ts';
import { answers } from '../verify.ts';
import { type Server, type ServerOptions, serverOf } from './server.ts';

const directories = ['etc', 'logs', 'run', 'cache'] as const;

/** Traffic Server on one event thread, its RAM cache open to objects of any size. */
export async function startTrafficServer(options: ServerOptions & { version: string }): Promise<Server> {
  const { rig, version } = options;
  const directory = rig.makeDirectory('trafficserver');
  for (const name of directories) mkdirSync(join(directory, name));
  const [httpPort, httpsPort] = [await freePort(), await freePort()];
  for (const [name, text] of Object.entries(filesOf(options, { directory, httpPort, httpsPort }))) {
    writeFileSync(join(directory, name), text);
  }
  const running = rig.start(['traffic_server', `--run-root=${join(directory, 'runroot.yaml')}`], {
    core: rig.serverCore,
    cwd: directory,
  });
  const http = `http://127.0.0.1:${httpPort}`;
  await answers(http, running);
  return serverOf([running], {
    name: 'Traffic Server',
    product: 'trafficserver',
    version,
    http,
    https: `https://127.0.0.1:${httpsPort}`,
    logs: [join(directory, 'logs', 'access.log')],
    // Via: … [cHs f ]: what the cache lookup found; H on disk, R in memory.
    isHit: (fields) => /\[[^\]]*c[HR]/.test(fields.get('via') ?? ''),
  });
}

interface Places {
  readonly directory: string;
  readonly httpPort: number;
  readonly httpsPort: number;
}

function filesOf(options: ServerOptions, places: Places): Record<string, string> {
  const { origin, certificate, diskBytes } = options;
  return {
    'runroot.yaml': runroot(places.directory),
    'etc/records.config': records(options, places),
    'etc/remap.config': `map / ${origin}/\n`,
    'etc/storage.config': `${places.directory}/cache ${Math.ceil(diskBytes / 1024 ** 2)}M\n`,
    'etc/ssl_multicert.config': `dest_ip=* ssl_cert_name=${certificate.certFile} ssl_key_name=${certificate.keyFile}\n`,
    'etc/ip_allow.yaml': 'ip_allow:\n  - {apply: in, ip_addrs: 127.0.0.1, action: allow, methods: ALL}\n',
    'etc/plugin.config': '',
    'etc/logging.yaml': `logging:
  formats:
    - {name: line, format: '%<chi> - [%<cqtn>] "%<cqtx>" %<pssc> %<pscl> %<crc> "%<{User-Agent}cqh>"'}
  logs:
    - {filename: access, format: line, mode: ascii, rolling_enabled: 0}
`,
  };
}

function runroot(directory: string): string {
  const own = { prefix: '', exec_prefix: '', sysconfdir: 'etc', logdir: 'logs', runtimedir: 'run', cachedir: 'cache' };
  const lines = Object.entries({ ...own, localstatedir: 'run', datadir: 'run', sbindir: 'run', libdir: 'run' });
  return [...lines.map(([name, path]) => `${name}: ${join(directory, path)}`), 'bindir: /usr/bin', ''].join('\n');
}

function records({ accessLog, ramBytes }: ServerOptions, { httpPort, httpsPort }: Places): string {
  const settings = {
    'admin.user_id': 'STRING #-1',
    'http.server_ports': `STRING ${httpPort}:ip-in=127.0.0.1 ${httpsPort}:ssl:ip-in=127.0.0.1`,
    'exec_thread.autoconfig': 'INT 0',
    'exec_thread.limit': 'INT 1',
    accept_threads: 'INT 0',
    task_threads: 'INT 1',
    'cache.ram_cache.size': `INT ${ramBytes}`,
    'cache.ram_cache_cutoff': `INT ${64 * 1024 ** 2}`,
    'cache.enable_read_while_writer': 'INT 1',
    'http.background_fill_active_timeout': 'INT 0',
    'http.background_fill_completed_threshold': 'FLOAT 0.0',
    'http.cache.max_open_read_retries': 'INT 100',
    'http.cache.open_read_retry_time': 'INT 10',
    'http.cache.required_headers': 'INT 2',
    'http.insert_response_via_str': 'INT 2',
    'http.keep_alive_no_activity_timeout_in': 'INT 300',
    'http.keep_alive_no_activity_timeout_out': 'INT 300',
    'http.transaction_no_activity_timeout_in': 'INT 300',
    'log.logging_enabled': `INT ${accessLog ? 3 : 0}`,
    'net.connections_throttle': 'INT 18000',
    'net.listen_backlog': 'INT 4096',
    'url_remap.remap_required': 'INT 1',
  };
  return Object.entries(settings)
    .map(([name, value]) => `CONFIG proxy.config.${name} ${value}\n`)
    .join('');
}
