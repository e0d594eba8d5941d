import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { options } from '../../src/config/options.ts';
import { configSchema } from '../../src/config.ts';
import { createMetrics } from '../../src/metrics.ts';
import { configOf } from '../support/config-load.ts';
import { readSources } from '../support/source-files.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('README.md', () => {
  it('has every option in its table', () => {
    const rows =
      read('README.md')
        .match(/^\| `--.*$/gm)
        ?.join('\n') ?? '';
    for (const { flag } of options) expect(rows).toContain(`--${flag} `);
    expect(options.length).toBeLessThan(Object.keys(configSchema.shape).length);
  });

  it('has an example that is valid', () => {
    const [, yaml = ''] = /```yaml\n([^`]*)```/.exec(read('README.md')) ?? [];
    expect(configOf({ files: { 'eddy.yaml': yaml } }).maps.map(({ prefix }) => prefix)).toEqual(['/live', '/']);
  });

  it('and the script of CI run the tests by the same command', () => {
    expect(read('README.md')).toContain('npm ci && npm test');
    const commands = read('.ci/run').match(/^npm (?:ci|test)\b/gm);
    expect(commands).toEqual(['npm ci', 'npm test']);
  });

  it('links to files that exist', () => {
    for (const [, path = ''] of read('README.md').matchAll(/\]\((?!https?:)([^)#]+\.md)\)/g)) {
      expect(read(path)).not.toBe('');
    }
  });
});

describe('docs/operations.md', () => {
  it('has every metric in its table, and no other', async () => {
    const declared = [...(await createMetrics({ version: '0' }).text()).matchAll(/^# TYPE (eddy_\S+)/gm)];
    const rows =
      read('docs/operations.md')
        .match(/^\| `eddy_.*$/gm)
        ?.join('\n') ?? '';
    const documented = [...rows.matchAll(/`(eddy_\w+)/g)];
    const names = (matches: readonly RegExpMatchArray[]) => matches.map(([, name]) => name).toSorted();
    expect(names(documented)).toEqual(names(declared));
  });
});

describe('what docs/ says of the sources', () => {
  const sources = readSources(fileURLToPath(new URL('../../src', import.meta.url)));
  const pages = ['architecture', 'call-order', 'glossary'].map((name) => read(`docs/${name}.md`));

  /** A file as a page names it: from src/ on, or where the folder goes without saying, by its name. */
  const filesNamed = (path: string) => {
    const end = `/${path.replace(/^src\//, '')}`;
    return sources.filter((each) => `/${each.path}`.endsWith(end));
  };

  it('names files and folders that exist', () => {
    const files = pages.flatMap((page) => [...page.matchAll(/`([\w./-]+\.ts)`/g)].map(([, path = '']) => path));
    const folders = pages.flatMap((page) => [...page.matchAll(/`(src\/[\w./-]+\/)`/g)].map(([, path = '']) => path));
    expect(files.filter((path) => !path.startsWith('test/') && filesNamed(path).length === 0)).toEqual([]);
    expect(folders.filter((path) => !existsSync(new URL(`../../${path}`, import.meta.url)))).toEqual([]);
  });

  it('names functions that are in the file named with them', () => {
    const text = pages.join('\n');
    const named = [
      ...[...text.matchAll(/`([\w./-]+\.ts)`, `(#?\w+)`/g)].map(([, path = '', name = '']) => ({ path, name })),
      ...[...text.matchAll(/`(#?\w+)` of `([\w./-]+\.ts)`/g)].map(([, name = '', path = '']) => ({ path, name })),
    ];
    const isThere = ({ path, name }: { path: string; name: string }) => {
      const declared = new RegExp(`(?:^  (?:readonly |async |async \\*|get )?|function |const )${name}\\b`, 'm');
      return filesNamed(path).some((file) => declared.test(file.text));
    };
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((each) => !isThere(each))).toEqual([]);
  });
});
