import { type Config, type ConfigKey, type ConfigValues, configSchema } from '../config.ts';
import { combine } from './combine.ts';
import { complaintsOf, pathText, unknownKey } from './complaints.ts';
import { type ConfigFile, parseConfigFile } from './file.ts';
import type { CrossChecks } from './given-files.ts';
import { options, readCommandLine, readEnvironment } from './options.ts';
import type { peeringSchema } from './peering.ts';

export interface LoadOptions {
  /** Arguments after the program. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Text of a file; throws as `readFileSync` does. */
  readonly readFile: (path: string) => string;
  readonly memoryBytes: number;
  readonly cores: number;
  /** What a disk tier in that directory could have, whether or not the directory exists. */
  readonly diskFreeBytes: (directory: string) => number;
}

export type Loaded =
  | { readonly config: Config; readonly errors?: never }
  | { readonly config?: never; readonly errors: readonly string[] };

type Shape = typeof configSchema.shape;

/**
 * The configuration from the command line, the environment and the file, in this order of precedence; or everything
 * that is wrong with it, a line each: the key, its value (unless it is secret) and what would be right.
 */
export function loadConfig(load: LoadOptions): Loaded {
  const flags = readCommandLine(load.argv);
  const environment = readEnvironment(load.env);
  const fileName = flags.file ?? environment.file;
  const file = readConfigFile(fileName, load);

  const unknown = Object.keys(file.values).filter((key) => !Object.hasOwn(configSchema.shape, key));
  const errors = [
    ...flags.errors,
    ...file.errors,
    ...unknown.map((key) => unknownKey(nameInFile([key], { fileName, file }), { key, known: topKeys() })),
  ];
  const given: CrossChecks['given'] = new Map();
  const values: Partial<ConfigValues> = {};
  for (const key of topKeys()) {
    const source = [flags, environment].find((each) => each.values.has(key));
    const raw = source === undefined ? file.values[key] : fromText(key, source.values.get(key));
    const nameOf = (path: readonly PropertyKey[]) => source?.names.get(key) ?? nameInFile(path, { fileName, file });
    if (raw !== undefined && raw !== null) {
      const rank = [undefined, environment, flags].indexOf(source);
      given.set(key, { rank, name: nameOf([key]) });
    }
    errors.push(...readKey(key, { raw: raw ?? undefined, nameOf, values }));
  }
  const combined = combine(values, { ...load, given });
  if (errors.length > 0 || combined.config === undefined) return { errors: [...errors, ...(combined.errors ?? [])] };
  return { config: combined.config };
}

function topKeys(): ConfigKey[] {
  return Object.keys(configSchema.shape) as ConfigKey[];
}

/** Puts the value of one key in `values`; returns what is wrong with it. */
function readKey(
  key: ConfigKey,
  {
    raw,
    nameOf,
    values,
  }: { raw: unknown; nameOf: (path: readonly PropertyKey[]) => string; values: Partial<ConfigValues> },
): string[] {
  // A single value is a list of one.
  const isList = options.some((option) => option.key === key && option.repeatable);
  const input = isList && raw !== undefined && !Array.isArray(raw) ? [raw] : raw;
  const parsed = configSchema.shape[key].safeParse(input);
  if (parsed.success) {
    Object.assign(values, { [key]: parsed.data });
    return [];
  }
  const issues = parsed.error.issues.map((issue) => ({ ...issue, path: [key, ...issue.path] }));
  return complaintsOf(issues, { input: { [key]: input }, nameOf, knownKeys });
}

/** Text of the command line as the type its key has. */
function fromText(key: ConfigKey, text: string | string[] | undefined): unknown {
  return key === 'workers' && typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : text;
}

/** Keys that a mapping at that path may have. */
function knownKeys(path: readonly PropertyKey[]): string[] {
  const { maps, limits, peering }: Pick<Shape, 'maps' | 'limits' | 'peering'> = configSchema.shape;
  if (path[0] === 'peering') return peeringKeys(peering.unwrap(), path[1]);
  if (path[0] === 'limits') return Object.keys(limits.unwrap().shape);
  const map = maps.unwrap().element.shape;
  if (path[2] === 'lifetimes') return Object.keys(map.lifetimes.unwrap().shape);
  if (path[2] === 'timeouts') return Object.keys(map.timeouts.unwrap().shape);
  return Object.keys(map);
}

function peeringKeys(schema: typeof peeringSchema, within: PropertyKey | undefined): string[] {
  return Object.keys(within === undefined ? schema.shape : schema.shape.uploadSchedule.unwrap().element.shape);
}

function nameInFile(
  path: readonly PropertyKey[],
  { fileName, file }: { fileName: string | undefined; file: ConfigFile },
): string {
  const line = file.lineOf(path);
  return line === undefined ? pathText(path) : `${pathText(path)} (${fileName}:${line})`;
}

function readConfigFile(name: string | undefined, { readFile }: LoadOptions): ConfigFile {
  if (name === undefined) return { values: {}, errors: [], lineOf: () => undefined };
  let text: string;
  try {
    text = readFile(name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = `--config is ${JSON.stringify(name)}: must be a file that can be read (${code ?? String(error)})`;
    return { values: {}, errors: [why], lineOf: () => undefined };
  }
  return parseConfigFile(name, text);
}
