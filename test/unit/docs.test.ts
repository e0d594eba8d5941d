import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configSchema } from '../../src/config.ts';
import { options } from '../../src/config/options.ts';
import { createMetrics } from '../../src/metrics.ts';
import { configOf } from '../support/config-load.ts';

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
