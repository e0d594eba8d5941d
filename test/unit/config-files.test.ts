import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { helpText } from '../../src/config/help.ts';
import { configJsonSchema } from '../../src/config/json-schema.ts';
import { mapWithDefaults } from '../../src/config/maps.ts';
import { originDefaults } from '../../src/origin/origin-map.ts';
import { configOf } from '../support/config-load.ts';

const directory = fileURLToPath(new URL('../../config/', import.meta.url));
const examples = readdirSync(directory).filter((name) => name.endsWith('.yaml'));

interface Described {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Described>>;
  readonly items?: Described;
  readonly anyOf?: readonly Described[];
}

describe('the examples in config/', () => {
  it('are there', () => {
    expect(examples.toSorted()).toEqual(['default.yaml', 'edge.yaml', 'live.yaml']);
  });

  it.each(examples)('%s is valid and names its schema', (name) => {
    const text = readFileSync(`${directory}${name}`, 'utf8');
    expect(text).toContain('$schema=./eddy.schema.json');
    expect(configOf({ files: { 'eddy.yaml': text } }).dataDir).not.toBe('');
  });

  it('default.yaml is what holds without a file, and shows every key', () => {
    const text = readFileSync(`${directory}default.yaml`, 'utf8');
    expect(configOf({ files: { 'eddy.yaml': text } })).toEqual(configOf({}));
    const map = Object.keys(mapWithDefaults({ name: 'a', origins: ['http://a.example'] }));
    for (const key of [...map, 'tlsCert', 'ram', 'disk', 'cell', 'cellKey', 'cellCredential', 'workers', 'origin']) {
      expect(text).toMatch(new RegExp(`\\b${key}:`));
    }
  });
});

describe('the JSON Schema', () => {
  it('is current (npm run schema)', () => {
    expect(readFileSync(`${directory}eddy.schema.json`, 'utf8')).toBe(configJsonSchema());
  });

  it('describes every key', () => {
    expect(undescribed(JSON.parse(configJsonSchema()) as Described, '')).toEqual([]);
  });
});

describe('the defaults', () => {
  it('of a map are those of the origins it configures', () => {
    const { timeouts, ...map } = mapWithDefaults({ name: 'a', origins: ['http://a.example'] });
    expect(originDefaults).toMatchObject({
      connectTimeoutMs: timeouts.connectMs,
      firstByteTimeoutMs: timeouts.firstByteMs,
      idleTimeoutMs: timeouts.idleMs,
      attemptsMax: map.attemptsMax,
      connectionsMax: map.connectionsMax,
      requestsMax: map.requestsMax,
    });
  });
});

describe('the help text', () => {
  it('fits a terminal and names every option with its variable', () => {
    const text = helpText('1.2.3');
    expect(text.split('\n').filter((line) => line.length > 120)).toEqual([]);
    for (const option of ['--config FILE', '--origin URL', '--cell-key FILE', 'EDDY_CELL_KEY', '--version']) {
      expect(text).toContain(option);
    }
  });
});

/** Paths of keys without a description. */
function undescribed({ properties = {}, items, anyOf = [] }: Described, path: string): string[] {
  const inner = [items, ...anyOf].flatMap((each) => (each === undefined ? [] : undescribed(each, path)));
  const own = Object.entries(properties).flatMap(([key, value]) => [
    ...(value.description === undefined ? [`${path}${key}`] : []),
    ...undescribed(value, `${path}${key}.`),
  ]);
  return [...inner, ...own];
}
