import { type Loaded, loadConfig } from '../../src/config/load.ts';

const gibibyte = 1024 ** 3;

export interface Written {
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Files by path; the one named eddy.yaml is given to --config. */
  readonly files?: Readonly<Record<string, string>>;
  readonly diskFreeBytes?: number;
}

/** Loads a configuration on a machine of 8 GiB memory, 4 cores and 100 GiB free. */
export function load({ argv = [], env = {}, files = {}, diskFreeBytes = 100 * gibibyte }: Written): Loaded {
  return loadConfig({
    argv: 'eddy.yaml' in files ? [...argv, '--config', 'eddy.yaml'] : argv,
    env,
    readFile: (path) => {
      const text = Object.hasOwn(files, path) ? files[path] : undefined;
      if (text !== undefined) return text;
      throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' });
    },
    memoryBytes: 8 * gibibyte,
    cores: 4,
    diskFreeBytes: () => diskFreeBytes,
  });
}

export function configOf(written: Written): NonNullable<Loaded['config']> {
  const { config, errors } = load(written);
  if (config === undefined) throw new Error(errors.join('\n'));
  return config;
}

export function errorsOf(written: Written): readonly string[] {
  return load(written).errors ?? [];
}
