import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import { camelCase, options } from './options.ts';

/** A configuration file: its keys, and where in it each value is. */
export interface ConfigFile {
  readonly values: Readonly<Record<string, unknown>>;
  readonly errors: readonly string[];
  /** Line of the value at that path, or of the key when the path ends in an unknown one. */
  lineOf(path: readonly PropertyKey[]): number | undefined;
}

const bytesMax = 1024 * 1024;

/** Parses YAML text. Keys may be spelled like the options, `cell-key` for `cellKey`. */
export function parseConfigFile(name: string, text: string): ConfigFile {
  const failed = (...errors: string[]): ConfigFile => ({ values: {}, errors, lineOf: () => undefined });
  if (text.length > bytesMax) return failed(`${name} has ${text.length} characters: must have at most ${bytesMax}`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    return failed(...document.errors.map(({ pos, message }) => `${name}:${lines.linePos(pos[0]).line}: ${message}`));
  }
  if (document.contents === null) return { values: {}, errors: [], lineOf: () => undefined };
  if (!isMap(document.contents)) return failed(`${name} must be a mapping of keys to values`);
  const content = contentOf(document);
  if (content === undefined) return failed(`${name} uses aliases too often: must be smaller when they are written out`);
  const spelled = new Map<string, string>();
  const values: Record<string, unknown> = {};
  const errors: string[] = [];
  for (const [key, value] of Object.entries(content)) {
    const known = options.some((option) => option.flag === key) ? camelCase(key) : key;
    if (Object.hasOwn(values, known)) errors.push(`${name}: ${known} is given more than once`);
    else Object.defineProperty(values, known, { value, enumerable: true });
    spelled.set(known, key);
  }
  const lineOf = ([top, ...rest]: readonly PropertyKey[]) => {
    for (let path = [spelled.get(String(top)) ?? String(top), ...rest]; path.length > 0; path = path.slice(0, -1)) {
      const offset = offsetOf(document, path);
      if (offset !== undefined) return lines.linePos(offset).line;
    }
    return undefined;
  };
  return { values, errors, lineOf };
}

/** Undefined for documents made to be huge once their aliases are resolved. */
function contentOf(document: ReturnType<typeof parseDocument>): Record<string, unknown> | undefined {
  try {
    return document.toJS({ maxAliasCount: 100 }) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function offsetOf(document: ReturnType<typeof parseDocument>, path: readonly PropertyKey[]): number | undefined {
  const parent = path.length > 1 ? document.getIn(path.slice(0, -1), true) : document.contents;
  const last = path.at(-1);
  if (isMap(parent)) {
    const pair = parent.items.find(({ key }) => (isScalar(key) ? key.value : key) === last);
    return isNode(pair?.key) ? pair.key.range?.[0] : undefined;
  }
  const node = document.getIn(path, true);
  return isNode(node) ? node.range?.[0] : undefined;
}
