import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A TypeScript file below src/, its path from there with slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** One import, re-export or dynamic import. */
export interface Import {
  readonly from: string;
  /** Path from src/ for a file of the project; the package's name otherwise, `node:…` for built-in ones. */
  readonly to: string;
  readonly kind: 'file' | 'package';
}

/** Every TypeScript file below `root`. MPEG-2 transport streams have the same extension: media folders are left out. */
export function readSources(root: string): readonly SourceFile[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/[\\/]media[\\/]/.test(file))
    .map((file) => ({
      path: file.slice(root.length + 1).replaceAll('\\', '/'),
      text: readFileSync(file, 'utf8'),
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

const statement = /^(?:import|export)\b[^;'"]*?\bfrom\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]/gm;
const dynamic = /\bimport\(\s*['"]([^'"]+)['"]/g;

export function importsOf({ path, text }: SourceFile): readonly Import[] {
  const specifiers = [...text.matchAll(statement), ...text.matchAll(dynamic)].map(
    (match) => match[1] ?? match[2] ?? '',
  );
  return specifiers.map((specifier): Import => {
    if (!specifier.startsWith('.')) return { from: path, to: packageOf(specifier), kind: 'package' };
    return { from: path, to: resolved(path, specifier), kind: 'file' };
  });
}

const named = /\bimport\s+(?:type\s+)?\{([^}]*)\}\s*from\s+'(\.[^']+)'/g;

/** What a file imports by name, as path and name with `#` between; `*` for all of a file that is imported as it runs. */
export function namesImported({ path, text }: SourceFile): readonly string[] {
  const byName = [...text.matchAll(named)].flatMap(([, names = '', from = '']) =>
    names.split(',').map((name) => `${resolved(path, from)}#${name.trim().replace(/^type | as .*/g, '')}`),
  );
  const whole = [...text.matchAll(dynamic)].map(([, from = '']) => `${resolved(path, from)}#*`);
  return [...byName, ...whole];
}

/** The folder of src/ that a file belongs to; a file directly in src/ stands for itself, without its extension. */
export function unitOf(path: string): string {
  return path.split('/', 1)[0]?.replace(/\.ts$/, '') ?? path;
}

/** A cycle among these edges as the names it passes, or undefined. */
export function cycleIn(edges: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (name: string, trail: readonly string[]): readonly string[] | undefined => {
    if (trail.includes(name)) return [...trail.slice(trail.indexOf(name)), name];
    if (done.has(name)) return undefined;
    for (const next of edges.get(name) ?? []) {
      const cycle = visit(next, [...trail, name]);
      if (cycle !== undefined) return cycle;
    }
    done.add(name);
    return undefined;
  };
  for (const name of edges.keys()) {
    const cycle = visit(name, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? specifier);
}

function resolved(path: string, specifier: string): string {
  // Above src/ the path keeps its `..`, so that an import from outside shows.
  const segments = path.split('/').slice(0, -1);
  for (const segment of specifier.split('/')) {
    if (segment === '.') continue;
    if (segment === '..' && segments.length > 0 && segments.at(-1) !== '..') segments.pop();
    else segments.push(segment);
  }
  return segments.join('/');
}
