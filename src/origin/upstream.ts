import { isIP } from 'node:net';
import { buildConnector, Pool } from 'undici';
import { hopByHop } from '../semantics/hop-by-hop.ts';
import { type HealthReport, UpstreamHealth } from './health.ts';
import { type OriginSettings, originBounds } from './origin-map.ts';

/** One origin server that requests may go to: its connections and its health. */
export interface Upstream {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Path of its URL. */
  readonly basePath: string;
  /** The Host to send. */
  readonly hostField: string;
  /** Credentials and the like; empty for the target of a redirect to another host. */
  readonly fieldsAdded: readonly string[];
  readonly pool: Pool;
  readonly health: UpstreamHealth;
}

interface UpstreamOptions {
  readonly nowMs: () => number;
  readonly onChange: (report: HealthReport) => void;
  /** False for hosts that only redirects lead to: no credentials, their own Host. */
  readonly configured: boolean;
}

export function createUpstream(url: URL, settings: OriginSettings, options: UpstreamOptions): Upstream {
  const { configured } = options;
  const hostField = (configured ? settings.hostField : undefined) ?? url.host;
  return {
    origin: url.origin,
    basePath: url.pathname,
    hostField,
    fieldsAdded: configured ? addedFields(settings) : [],
    pool: createPool(url, settings, hostField),
    health: new UpstreamHealth(options.nowMs, options.onChange),
  };
}

function addedFields(settings: OriginSettings): string[] {
  const lines = Object.entries(settings.fieldsAdded ?? {});
  return lines.filter(([name]) => !hopByHop.has(name.toLowerCase()) && name.toLowerCase() !== 'host').flat();
}

function createPool(url: URL, settings: OriginSettings, hostField: string): Pool {
  const { connectTimeoutMs, connectionsMax, tls } = settings;
  const servername = tlsName(url, hostField);
  const connect = buildConnector({ timeout: connectTimeoutMs, allowH2: false, ...(tls?.ca && { ca: tls.ca }) });
  return new Pool(url.origin, {
    connections: connectionsMax,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: originBounds.keepAliveTimeoutMs,
    maxHeaderSize: originBounds.fieldBytesMax,
    connect: (options, callback) => {
      connect({ ...options, ...(servername !== undefined && { servername }) }, (...result) => {
        const [, socket] = result;
        // A body that is delimited by the end of the connection is not whole when that end is a reset (RFC 9112
        // section 8); undici takes ECONNRESET for an orderly end there.
        socket?.prependListener('error', (error: NodeJS.ErrnoException) => {
          if (error.code === 'ECONNRESET') error.code = 'EDDY_CONNECTION_RESET';
        });
        callback(...result);
      });
    },
  });
}

/**
 * The name to ask for and to verify in TLS: the upstream's, whatever Host says; but an upstream given as an address is
 * known by its Host.
 */
function tlsName(url: URL, hostField: string): string | undefined {
  const named = (host: string) => (isIP(host.replace(/^\[|\]$/g, '')) === 0 ? host : undefined);
  return named(url.hostname) ?? named(hostField.replace(/:\d+$/, ''));
}
