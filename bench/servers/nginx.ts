import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../rig.ts';
import { answers } from '../verify.ts';
import { type Server, type ServerOptions, serverOf } from './server.ts';

/** One of the ways nginx is set up; its fastest one counts. */
export interface NginxVariant {
  readonly name: string;
  readonly sendfile: boolean;
  readonly tcpNopush: boolean;
  /** Bytes of each slice of the slice module; undefined: whole objects. */
  readonly slice: string | undefined;
}

export const nginxVariants: readonly NginxVariant[] = [
  { name: 'nginx sendfile', sendfile: true, tcpNopush: false, slice: undefined },
  { name: 'nginx sendfile nopush', sendfile: true, tcpNopush: true, slice: undefined },
  { name: 'nginx copy', sendfile: false, tcpNopush: false, slice: undefined },
  { name: 'nginx slice sendfile', sendfile: true, tcpNopush: true, slice: '1m' },
  { name: 'nginx slice copy', sendfile: false, tcpNopush: false, slice: '1m' },
];

export async function startNginx(options: ServerOptions & { variant: NginxVariant; version: string }): Promise<Server> {
  const { rig, variant, version } = options;
  const directory = rig.makeDirectory('nginx');
  const [httpPort, httpsPort] = [await freePort(), await freePort()];
  const config = join(directory, 'nginx.conf');
  writeFileSync(config, configOf(options, { directory, httpPort, httpsPort }));
  const running = rig.start(['nginx', '-p', directory, '-e', 'error.log', '-c', config], {
    core: options.cores ?? rig.serverCore,
  });
  const http = `http://127.0.0.1:${httpPort}`;
  await answers(http, running);
  return serverOf([running], {
    name: variant.name,
    product: 'nginx',
    version,
    http,
    https: `https://127.0.0.1:${httpsPort}`,
    logs: [join(directory, 'access.log')],
    isHit: (fields) => fields.get('x-cache') === 'HIT',
  });
}

interface Places {
  readonly directory: string;
  readonly httpPort: number;
  readonly httpsPort: number;
}

function configOf(options: ServerOptions & { variant: NginxVariant }, places: Places): string {
  const { variant, accessLog, diskBytes, workers = 1 } = options;
  const onOff = (value: boolean) => (value ? 'on' : 'off');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `  ${kind}_temp_path ${places.directory}/temp_${kind};`,
  );
  return `
daemon off;
worker_processes ${workers};
worker_rlimit_nofile 20000;
pid ${places.directory}/nginx.pid;
error_log ${places.directory}/error.log error;
events { worker_connections 16384; multi_accept on; }
http {
${temporary.join('\n')}
  default_type video/mp4;
  access_log ${accessLog ? `${places.directory}/access.log combined buffer=64k flush=1s` : 'off'};
  sendfile ${onOff(variant.sendfile)};
  tcp_nopush ${onOff(variant.tcpNopush)};
  tcp_nodelay on;
  output_buffers 2 256k;
  open_file_cache max=100000 inactive=1h;
  open_file_cache_valid 1h;
  keepalive_timeout 300s;
  keepalive_requests 1000000000;
  proxy_cache_path ${places.directory}/cache levels=1:2 keys_zone=bench:64m max_size=${diskBytes} inactive=1d use_temp_path=off;
  upstream origin { server ${new URL(options.origin).host}; keepalive 256; keepalive_requests 1000000000; }
${serverBlock(options, places)}
}
`;
}

function serverBlock(options: ServerOptions & { variant: NginxVariant }, places: Places): string {
  const { variant, certificate, origin, workers = 1 } = options;
  const { protocol } = new URL(origin);
  // Else one of several takes most connections.
  const shared = workers > 1 ? ' reuseport' : '';
  const slice = variant.slice === undefined ? '' : `slice ${variant.slice}; proxy_set_header Range $slice_range;`;
  return `
  server {
    listen 127.0.0.1:${places.httpPort} backlog=4096${shared};
    listen 127.0.0.1:${places.httpsPort} ssl backlog=4096${shared};
    ssl_certificate ${certificate.certFile};
    ssl_certificate_key ${certificate.keyFile};
    ssl_protocols TLSv1.3;
    location / {
      proxy_pass ${protocol}//origin;
      proxy_ssl_protocols TLSv1.3;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      ${slice}
      proxy_cache bench;
      proxy_cache_key $uri$is_args$args${variant.slice === undefined ? '' : '$slice_range'};
      proxy_cache_valid 200 206 1d;
      proxy_cache_lock on;
      proxy_cache_use_stale updating error timeout;
      add_header X-Cache $upstream_cache_status;
    }
  }`;
}
