import { z } from 'zod';
import type { CellCredential } from './config/cell-credential.ts';
import { type LimitsConfig, limitsSchema } from './config/limits.ts';
import { type MapConfig, mapSchema } from './config/maps.ts';
import { type PeeringConfig, peeringSchema } from './config/peering.ts';
import { type Address, address, flag, integer, line, multiaddr, originUrl, size } from './config/values.ts';

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
type LogLevel = (typeof logLevels)[number];

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/**
 * Everything that can be configured: keys of the YAML file, their bounds and defaults. The command line and the
 * environment give some of them; see `options.ts`.
 */
export const configSchema = z.strictObject({
  origin: list(originUrl(), 'a list of 1 to 16 URLs', { least: 1, most: 16 })
    .optional()
    .describe(
      'Everything under / comes from here; several are failover order. Default: the built-in sample origin. Short for a map named default.',
    ),
  listen: list(address(), 'a list of addresses', { least: 0, most: 64 })
    .prefault(['0.0.0.0:8080'])
    .describe('Where viewers connect with HTTP. Port 0 takes any.'),
  https: list(address(), 'a list of addresses', { least: 0, most: 64 })
    .prefault([])
    .describe('Where viewers connect with HTTPS, HTTP/1.1 or HTTP/2. Needs tlsCert and tlsKey.'),
  tlsCert: path().optional().describe('PEM file of the certificate and its chain. Read again when it changes.'),
  tlsKey: path().optional().describe('PEM file of the private key of tlsCert.'),
  admin: address()
    .prefault('127.0.0.1:8081')
    .describe('Health, metrics, API and console. Beyond loopback it needs a token.'),
  adminToken: line('a secret', 1_024)
    .optional()
    .describe('Secret that the admin listener asks for as "Authorization: Bearer …".'),
  adminTokenFile: path().optional().describe('File that holds the secret, instead of adminToken.'),
  data: path().default('./data').describe("Directory of the disk tier and the node's identity."),
  ram: size({ least: 64 * kibibyte })
    .optional()
    .describe('Bytes of media kept in memory; 0 for none. Default: a quarter of memory, at most 2 GiB.'),
  disk: size({ least: 4 * mebibyte })
    .optional()
    .describe('Bytes the disk tier may use; 0 for none. Default: 10 GiB, or 80% of what is free if that is less.'),
  cell: line('the name of a cell', 64)
    .optional()
    .describe(
      'The group of nodes that exchange pieces. Needs cellKey or cellCredential. Default: none, peers are off.',
    ),
  cellKey: path().optional().describe("File with the cell's key: 32 bytes as 64 hex digits."),
  cellCredential: path()
    .optional()
    .describe('Instead of cellKey: file with what "eddy credential" issued to this node. Read again on SIGHUP.'),
  peerListen: list(multiaddr(), 'a list of multiaddrs', { least: 0, most: 16 })
    .default(['/ip4/0.0.0.0/tcp/4001'])
    .describe('Where peers connect.'),
  peer: list(multiaddr(), 'a list of multiaddrs', { least: 0, most: 256 })
    .default([])
    .describe('Peers to connect to at the start; any one member of the cell is enough. mDNS finds those on the LAN.'),
  peering: peeringSchema.prefault({}),
  workers: integer(1, 256)
    .optional()
    .describe('HTTP threads; with 1 the main thread serves viewers too. Default: one less than cores, 1 on two cores.'),
  logLevel: z
    .enum(logLevels, { error: `one of ${logLevels.join(', ')}` })
    .default('info')
    .describe('Lines below this level are not logged.'),
  accessLog: flag().default(true).describe('One line at level info for each request of a viewer.'),
  maps: list(mapSchema, 'a list of maps', { least: 0, most: 256 }).default([]).describe('Origins by path prefix.'),
  limits: limitsSchema.prefault({}),
});

/** The values of a configuration, each valid on its own. */
export type ConfigValues = z.output<typeof configSchema>;
export type ConfigKey = keyof ConfigValues;

/** The key is 32 bytes; whoever has none has a credential. */
type CellConfig =
  | { readonly name: string; readonly key: Uint8Array; readonly credential?: undefined }
  | { readonly name: string; readonly key?: undefined; readonly credential: CellCredential };

/** The configuration a node runs with: every value is valid, also together with the others; paths are absolute. */
export interface Config {
  readonly listen: readonly Address[];
  readonly https: readonly Address[];
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly admin: { readonly listen: Address; readonly token: string | undefined };
  readonly dataDir: string;
  /** 0: no RAM tier. */
  readonly ramBytesMax: number;
  /** 0: no disk tier. */
  readonly diskBytesMax: number;
  /** Undefined: peers are off. */
  readonly cell: CellConfig | undefined;
  readonly peerListen: readonly string[];
  readonly peers: readonly string[];
  readonly peering: PeeringConfig;
  readonly workers: number;
  readonly logLevel: LogLevel;
  readonly accessLog: boolean;
  /** Empty: the built-in sample origin is served. */
  readonly maps: readonly MapConfig[];
  readonly limits: LimitsConfig;
}

function list<T extends z.ZodType>(item: T, what: string, { least, most }: { least: number; most: number }) {
  return z
    .array(item, { error: what })
    .min(least, { error: what })
    .max(most, { error: `${what}, at most ${most}` });
}

function path() {
  return line('a path', 4_096);
}
