import type { ConfigKey } from '../config.ts';
import { closest } from './suggest.ts';

/** One option of the command line: `--flag VALUE`, `EDDY_FLAG` and the key of the file are the same thing. */
interface Option {
  /** Without hyphens in front: `cell-key`. */
  readonly flag: string;
  readonly key: ConfigKey;
  /** Placeholder of its value. */
  readonly value: string;
  /** May be given several times; in the environment its values are separated by commas. */
  readonly repeatable: boolean;
}

export const options: readonly Option[] = [
  option('origin', 'URL', { repeatable: true }),
  option('listen', 'HOST:PORT', { repeatable: true }),
  option('https', 'HOST:PORT', { repeatable: true }),
  option('tls-cert', 'FILE'),
  option('tls-key', 'FILE'),
  option('admin', 'HOST:PORT'),
  option('admin-token', 'SECRET'),
  option('admin-token-file', 'FILE'),
  option('data', 'DIR'),
  option('ram', 'SIZE'),
  option('disk', 'SIZE'),
  option('cell', 'NAME'),
  option('cell-key', 'FILE'),
  option('cell-credential', 'FILE'),
  option('peer-listen', 'MULTIADDR', { repeatable: true }),
  option('peer', 'MULTIADDR', { repeatable: true }),
  option('workers', 'N'),
  option('log-level', 'LEVEL'),
];

/** Values by key, as text, and where each came from as it is named in errors: `--ram`, `EDDY_RAM`. */
interface Given {
  readonly values: Map<ConfigKey, string | string[]>;
  readonly names: Map<ConfigKey, string>;
}

interface CommandLine extends Given {
  /** Of `--config`. */
  readonly file: string | undefined;
  readonly errors: readonly string[];
}

/** Reads `--flag VALUE` and `--flag=VALUE`. What cannot be read is in `errors`, never with a value that may be secret. */
export function readCommandLine(argv: readonly string[]): CommandLine {
  const given: Given = { values: new Map(), names: new Map() };
  const errors: string[] = [];
  let file: string | undefined;
  for (let i = 0; i < argv.length; ) {
    const { flag, value, used } = readArgument(argv, i);
    i += used;
    if (flag === undefined) errors.push(`${JSON.stringify(value ?? '')} is not an option: options start with --`);
    else if (flag === 'config') {
      if (value === undefined) errors.push('--config has no value: must be followed by a file');
      file = value;
    } else {
      const known = options.find((each) => each.flag === flag);
      if (known === undefined) errors.push(unknownFlag(flag));
      else if (value === undefined) errors.push(`--${flag} has no value: must be followed by ${known.value}`);
      else if (!add(given, known, value)) errors.push(`--${flag} is given more than once: must be given once`);
    }
  }
  return { ...given, file, errors };
}

/** Reads `EDDY_…`. Unknown ones are left alone: Kubernetes sets EDDY_PORT and the like for a service named eddy. */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Given & { file: string | undefined } {
  const values: Given['values'] = new Map();
  const names: Given['names'] = new Map();
  for (const { flag, key, repeatable } of options) {
    const name = environmentName(flag);
    const text = env[name];
    if (text === undefined || text === '') continue;
    values.set(key, repeatable ? text.split(',').map((each) => each.trim()) : text);
    names.set(key, name);
  }
  return { values, names, file: env['EDDY_CONFIG'] || undefined };
}

export function environmentName(flag: string): string {
  return `EDDY_${flag.toUpperCase().replaceAll('-', '_')}`;
}

function option(flag: string, value: string, { repeatable = false }: { repeatable?: boolean } = {}): Option {
  return { flag, key: camelCase(flag) as ConfigKey, value, repeatable };
}

/** `cell-key` to `cellKey`. */
export function camelCase(flag: string): string {
  return flag.replaceAll(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

/** One option with its value, and how many arguments that took. Without `flag`: something else, in `value`. */
function readArgument(
  argv: readonly string[],
  at: number,
): { flag: string | undefined; value: string | undefined; used: 1 | 2 } {
  const argument = argv[at] ?? '';
  if (!argument.startsWith('--')) return { flag: undefined, value: argument, used: 1 };
  const equals = argument.indexOf('=');
  if (equals > 0) return { flag: argument.slice(2, equals), value: argument.slice(equals + 1), used: 1 };
  const next = argv[at + 1];
  const hasValue = next !== undefined && !next.startsWith('--');
  return { flag: argument.slice(2), value: hasValue ? next : undefined, used: hasValue ? 2 : 1 };
}

function add(given: Given, { flag, key, repeatable }: Option, value: string): boolean {
  const before = given.values.get(key);
  if (before !== undefined && !repeatable) return false;
  given.values.set(key, repeatable ? [...(Array.isArray(before) ? before : []), value] : value);
  given.names.set(key, `--${flag}`);
  return true;
}

function unknownFlag(flag: string): string {
  const near = closest(flag, ['config', 'help', 'version', ...options.map((each) => each.flag)]);
  return `--${flag} is not an option${near === undefined ? ': see --help' : `: did you mean --${near}?`}`;
}
