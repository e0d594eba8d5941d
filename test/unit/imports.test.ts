import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  cycleIn,
  type Import,
  importsOf,
  namesImported,
  readSources,
  type SourceFile,
  unitOf,
} from '../support/source-files.ts';

/** May be imported from everywhere, and import nothing but each other. */
const leaves = [
  'bounded-map',
  'circuit-breaker',
  'discard',
  'errors',
  'fields',
  'expiring-set',
  'libc',
  'listening',
  'log',
  'loopback',
  'make-directory',
  'metrics',
  'partition-point',
  'piece-memory',
  'semantics',
  'socket-reads',
  'structured-fields',
  'version',
];

/** What the parts know of each other. */
const cacheTypes = ['cache/types.ts', 'cache/supply.ts'];

/** The folders and files of src/ that each may import besides itself and the leaves. `types`: the types of the cache only. */
const mayImport: Readonly<Record<string, readonly string[] | 'all'>> = {
  main: ['node', 'config'],
  node: 'all',
  config: ['types'],
  demo: ['sample'],
  http: ['cache', 'live'],
  cache: [],
  ram: ['types'],
  disk: ['types'],
  origin: ['types'],
  peers: ['types'],
  live: ['types'],
  sample: [],
  workers: ['cache'],
  console: [],
  'bounded-map': [],
  'circuit-breaker': [],
  discard: [],
  errors: [],
  fields: [],
  'expiring-set': [],
  libc: [],
  listening: [],
  log: [],
  loopback: [],
  'make-directory': [],
  metrics: [],
  'partition-point': [],
  'piece-memory': [],
  semantics: [],
  'socket-reads': [],
  'structured-fields': [],
  version: [],
};

/**
 * The folders inside a folder, and what of the same one each may import besides itself and the leaves there. Files that
 * lie beside them and are no leaves hold the parts together, and may import all.
 */
const within: Readonly<Record<string, Inside>> = {
  http: {
    leaves: ['limits'],
    folders: {
      reply: [],
      request: ['reply'],
      socket: [],
      exchange: ['request', 'reply', 'socket'],
      'node-http': ['exchange', 'request', 'reply', 'socket'],
      lean: ['exchange', 'request', 'reply', 'socket'],
      admin: [],
    },
  },
  cache: {
    leaves: ['key', 'recent', 'supply', 'types'],
    folders: {
      rules: [],
      flight: [],
      stored: ['flight', 'rules'],
      fill: ['stored', 'flight', 'rules'],
      content: ['fill', 'stored', 'flight', 'rules'],
      fetch: ['content', 'fill', 'stored', 'flight', 'rules'],
    },
  },
  disk: {
    leaves: ['options'],
    folders: {
      record: [],
      database: ['record'],
      table: ['record'],
      generation: ['table', 'database', 'record'],
      indexes: ['generation', 'database', 'record'],
      store: ['indexes', 'generation', 'table', 'database', 'record'],
      writer: ['store', 'indexes', 'generation', 'database', 'record'],
    },
  },
  node: {
    leaves: [],
    folders: { cell: [], viewers: [], process: [] },
  },
  live: {
    leaves: ['clock', 'manifest', 'mapped-urls'],
    folders: {
      hls: [],
      dash: [],
      message: ['hls'],
      follow: ['message', 'hls'],
      prefetch: [],
      channels: ['follow', 'prefetch', 'message', 'hls', 'dash'],
    },
  },
  peers: {
    leaves: ['blake3', 'failure', 'range', 'shareable'],
    folders: {
      transport: [],
      wire: ['transport'],
      cell: ['wire'],
      members: ['wire', 'transport'],
      integrity: ['members'],
      answer: ['integrity', 'members', 'wire'],
      link: ['answer', 'members', 'cell', 'wire', 'transport'],
      mesh: ['link', 'answer', 'members', 'cell', 'wire', 'transport'],
      ask: ['link', 'integrity', 'members', 'wire'],
    },
  },
};

/** The one folder or file that each package is used by. Packages of a scope are named by the scope. */
const owners: Readonly<Record<string, string>> = {
  'classic-level': 'disk',
  undici: 'origin',
  'lru-cache': 'ram',
  sax: 'live',
  'structured-headers': 'structured-fields',
  'prom-client': 'metrics',
  pino: 'log',
  'pino-pretty': 'log',
  yaml: 'config',
  zod: 'config',
  libp2p: 'peers',
  '@libp2p': 'peers',
  '@chainsafe': 'peers',
  '@multiformats': 'peers',
  '@napi-rs': 'peers',
  '@noble': 'peers',
  uint8arraylist: 'peers',
  'hls-parser': 'live',
  'hls.js': 'console',
  dashjs: 'console',
};

/** What the folders inside a folder of src/ may import of each other. */
interface Inside {
  readonly leaves: readonly string[];
  readonly folders: Readonly<Record<string, readonly string[]>>;
}

const linesMax = 250;

const sources = readSources(fileURLToPath(new URL('../../src', import.meta.url)));

describe('the sources', () => {
  it('are found', () => {
    expect(sources.map(({ path }) => path)).toContain('cache/types.ts');
  });

  it('import only what their place allows', () => {
    expect(forbiddenImports(sources)).toEqual([]);
  });

  it('import only what their place inside a folder allows', () => {
    expect(forbiddenInside(sources)).toEqual([]);
  });

  it('use each package in one place', () => {
    expect(strayPackages(sources)).toEqual([]);
  });

  it('have no cycle between folders', () => {
    expect(folderCycle(sources)).toBeUndefined();
  });

  it('export by name, each thing from the file it is in', () => {
    expect(unwantedExports(sources)).toEqual([]);
  });

  it('export nothing that only its own file uses', () => {
    const elsewhere = ['test', 'bench'].flatMap((folder) =>
      readSources(fileURLToPath(new URL(`../../${folder}`, import.meta.url))),
    );
    expect(unusedExports(sources, elsewhere)).toEqual([]);
  });

  it('are named after what they hold', () => {
    const vague = /(?:^|\/)(?:index|utils?|helpers?|managers?|common|misc)(?:\.ts$|\/)/;
    expect(sources.map(({ path }) => path).filter((path) => vague.test(path))).toEqual([]);
  });

  it(`have at most ${linesMax} lines`, () => {
    const long = sources.filter(({ text }) => text.trimEnd().split('\n').length > linesMax);
    expect(long.map(({ path }) => path)).toEqual([]);
  });
});

describe('these checks', () => {
  const file = (path: string, text: string): SourceFile => ({ path, text });

  it('see every form of import', () => {
    const text = [
      "import type { A } from '../cache/types.ts';",
      "import {\n  b,\n  c,\n} from './b.ts';",
      "import 'node:fs';",
      "export { d } from './d/e.ts';",
      "const f = await import('@scope/name/deep.js');",
      "import package_ from '../../package.json' with { type: 'json' };",
    ].join('\n');
    expect(importsOf(file('ram/a.ts', text)).map(({ to }) => to)).toEqual([
      'cache/types.ts',
      'ram/b.ts',
      'node:fs',
      'ram/d/e.ts',
      '../package.json',
      '@scope/name',
    ]);
  });

  it('refuse a tier that imports another, the cache itself, or what is outside', () => {
    const bad = [
      "import { a } from '../disk/a.ts';",
      "import { b } from '../cache/key.ts';",
      "import c from '../../c.ts';",
    ];
    expect(forbiddenImports([file('ram/a.ts', bad.join('\n'))])).toHaveLength(3);
    expect(forbiddenImports([file('ram/a.ts', "import { e } from '../errors.ts';")])).toEqual([]);
    expect(forbiddenImports([file('main.ts', "import { a } from './http/a.ts';")])).toHaveLength(1);
    expect(forbiddenImports([file('elsewhere/a.ts', "import { a } from './b.ts';")])).toHaveLength(1);
  });

  it('refuse an arrow between the folders inside a folder that is not drawn', () => {
    const bad = "import { a } from '../channels/a.ts';\nimport { b } from '../live-cache.ts';";
    expect(forbiddenInside([file('live/hls/x.ts', bad)])).toHaveLength(2);
    expect(forbiddenInside([file('live/hls/x.ts', "import { Manifest } from '../manifest.ts';")])).toEqual([]);
    expect(forbiddenInside([file('live/manifest.ts', "import { a } from './hls/a.ts';")])).toHaveLength(1);
    expect(forbiddenInside([file('live/live-cache.ts', bad.replaceAll('../', './'))])).toEqual([]);
    expect(forbiddenInside([file('live/elsewhere/x.ts', "import { a } from '../hls/a.ts';")])).toHaveLength(1);
  });

  it('refuse a package outside its place, and one that has none', () => {
    const text = "import { Level } from 'classic-level';\nimport { x } from 'left-pad';\nimport 'node:net';";
    expect(strayPackages([file('disk/a.ts', text)])).toHaveLength(1);
    expect(strayPackages([file('ram/a.ts', text)])).toHaveLength(2);
  });

  it('see a cycle', () => {
    const a = file('a/x.ts', "import type { B } from '../b/y.ts';");
    const b = file('b/y.ts', "import { c } from '../c/z.ts';");
    const c = file('c/z.ts', "import { a } from '../a/x.ts';");
    expect(folderCycle([a, b])).toBeUndefined();
    expect(folderCycle([a, b, c])).toEqual(['a', 'b', 'c', 'a']);
  });

  it('see exports that nobody imports', () => {
    const a = file(
      'a.ts',
      'export const used = 1;\nexport function tested() {}\nexport class Unused {}\nexport type Own = 1;',
    );
    const b = file('b.ts', "import { used } from './a.ts';\n// Own");
    const test = file('unit/a.test.ts', "import { tested } from '../../src/a.ts';");
    expect(unusedExports([a, b], [test])).toEqual(['a.ts exports Unused', 'a.ts exports Own']);
  });

  it('see default exports and barrels', () => {
    for (const text of ['export default 1;', "export * from './a.ts';", "export {\n  a,\n} from './a.ts';"])
      expect(unwantedExports([file('a.ts', text)])).toEqual(['a.ts']);
    expect(
      unwantedExports([file('a.ts', "export const a = 1;\nexport type { A };\nimport { b } from './b.ts';")]),
    ).toEqual([]);
  });
});

function forbiddenImports(files: readonly SourceFile[]): readonly string[] {
  const imports = files.flatMap(importsOf).filter(({ kind }) => kind === 'file');
  return imports.filter((each) => !isAllowed(each)).map(({ from, to }) => `${from} imports ${to}`);
}

function isAllowed({ from, to }: Import): boolean {
  const [importer, imported] = [unitOf(from), unitOf(to)];
  const allowed = mayImport[importer];
  if (allowed === undefined) return false;
  if (to.startsWith('..')) return to === '../package.json' && (importer === 'main' || importer === 'node');
  if (imported === importer || leaves.includes(imported)) return true;
  return allowed === 'all' || allowed.includes(imported) || (allowed.includes('types') && cacheTypes.includes(to));
}

function forbiddenInside(files: readonly SourceFile[]): readonly string[] {
  const imports = files
    .flatMap(importsOf)
    .filter(({ kind, from, to }) => kind === 'file' && unitOf(from) === unitOf(to));
  return imports.filter((each) => !isAllowedInside(each)).map(({ from, to }) => `${from} imports ${to}`);
}

function isAllowedInside({ from, to }: Import): boolean {
  const inside = within[unitOf(from)];
  if (inside === undefined) return true;
  const [importer, imported] = [from, to].map((path) => unitOf(path.slice(path.indexOf('/') + 1))) as [string, string];
  if (imported === importer || inside.leaves.includes(imported)) return true;
  const isInFolder = from.split('/').length > 2;
  return isInFolder ? inside.folders[importer]?.includes(imported) === true : !inside.leaves.includes(importer);
}

function strayPackages(files: readonly SourceFile[]): readonly string[] {
  const imports = files.flatMap(importsOf).filter(({ kind, to }) => kind === 'package' && !to.startsWith('node:'));
  return imports
    .filter(({ from, to }) => (owners[to] ?? owners[to.split('/', 1)[0] ?? to]) !== unitOf(from))
    .map(({ from, to }) => `${from} uses ${to}`);
}

function folderCycle(files: readonly SourceFile[]): readonly string[] | undefined {
  const edges = new Map<string, Set<string>>();
  for (const { from, to, kind } of files.flatMap(importsOf)) {
    if (kind === 'package' || unitOf(from) === unitOf(to)) continue;
    const targets = edges.get(unitOf(from)) ?? new Set();
    edges.set(unitOf(from), targets.add(unitOf(to)));
  }
  return cycleIn(edges);
}

/** Names that no other file imports from where they are exported. `elsewhere`: files outside src/. */
function unusedExports(files: readonly SourceFile[], elsewhere: readonly SourceFile[]): readonly string[] {
  const used = new Set([...files, ...elsewhere].flatMap(namesImported).map((each) => each.replace(/^\.\.\/src\//, '')));
  const exported = /^export (?:async )?(?:function\*?|class|const|interface|type) (\w+)/gm;
  return files.flatMap(({ path, text }) =>
    [...text.matchAll(exported)]
      .filter(([, name]) => !used.has(`${path}#${name}`) && !used.has(`${path}#*`))
      .map(([, name]) => `${path} exports ${name}`),
  );
}

function unwantedExports(files: readonly SourceFile[]): readonly string[] {
  const unwanted = /^export\s+(?:default\b|\*|(?:type\s+)?\{[^}]*\}\s*from\b)/m;
  return files.filter(({ text }) => unwanted.test(text)).map(({ path }) => path);
}
