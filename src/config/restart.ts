import { isDeepStrictEqual } from 'node:util';
import type { Config, ConfigKey } from '../config.ts';

/** What a running node does not take over, by the settings that it comes from. */
const fixed: readonly { readonly of: (config: Config) => unknown; readonly settings: readonly ConfigKey[] }[] = [
  { of: ({ listen }) => listen, settings: ['listen'] },
  { of: ({ https }) => https, settings: ['https'] },
  { of: ({ tls }) => tls, settings: ['tlsCert', 'tlsKey'] },
  { of: ({ admin }) => admin.listen, settings: ['admin'] },
  { of: ({ admin }) => admin.token, settings: ['adminToken'] },
  { of: ({ dataDir }) => dataDir, settings: ['data'] },
  { of: ({ ramBytesMax }) => ramBytesMax, settings: ['ram'] },
  { of: ({ diskBytesMax }) => diskBytesMax, settings: ['disk'] },
  { of: ({ cell }) => cell?.name, settings: ['cell'] },
  { of: ({ cell }) => cell?.key, settings: ['cellKey'] },
  { of: ({ cell }) => cell?.credential === undefined, settings: ['cellCredential'] },
  { of: ({ peerListen }) => peerListen, settings: ['peerListen'] },
  { of: ({ peers }) => peers, settings: ['peer'] },
  { of: ({ peering }) => peering, settings: ['peering'] },
  { of: ({ workers }) => workers, settings: ['workers'] },
  { of: ({ accessLog }) => accessLog, settings: ['accessLog'] },
  { of: ({ limits }) => limits, settings: ['limits'] },
  // Who serves the sample goes on with it.
  { of: ({ maps }) => maps.length === 0, settings: ['origin', 'maps'] },
];

/** The settings in which a configuration differs from the running one and that take a restart to count. */
export function settingsForRestart(running: Config, next: Config): readonly ConfigKey[] {
  return fixed.flatMap(({ of, settings }) => (isDeepStrictEqual(of(running), of(next)) ? [] : settings));
}
