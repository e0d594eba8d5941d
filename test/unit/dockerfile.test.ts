import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { builtinModules } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runEddy, startEddy } from '../support/eddy.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };

interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** Instructions of the Dockerfile, continued lines joined. */
const instructions: readonly Instruction[] = read('Dockerfile')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => ({ name: line.split(' ')[0] ?? '', text: line.slice(line.indexOf(' ') + 1).trim() }));

const all = (name: string): string[] => instructions.filter((each) => each.name === name).map(({ text }) => text);
const last = (name: string): string => all(name).at(-1) ?? '';

/** Sources of COPY that come from the checkout. */
const copied = all('COPY')
  .filter((text) => !text.startsWith('--from'))
  .flatMap((text) => text.split(/\s+/).slice(0, -1));

/** Where the last stage has a path of the checkout. */
const inCheckout = (path: string): string => path.replace(/^\/app\//, '');

describe('the Dockerfile', () => {
  it('runs the Node that package.json pins', () => {
    const bases = all('FROM').map((text) => text.split(' ')[0]);
    expect(bases.length).toBeGreaterThan(1);
    expect(new Set(bases)).toEqual(new Set([`node:${manifest.dependencies['node']}-bookworm-slim`]));
  });

  it('copies what there is, and .dockerignore leaves that in', () => {
    const kept = read('.dockerignore').match(/^!.*$/gm) ?? [];
    expect(copied).toContain('src');
    for (const source of copied) {
      expect([source, existsSync(join(root, source))]).toEqual([source, true]);
      expect(kept).toContain(`!${source}`);
    }
  });

  it('installs what the sources import, and no more than that for development', () => {
    expect(last('RUN')).not.toContain('npm');
    expect(all('RUN').join()).toContain('npm ci --omit=dev');
    const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
    const imported = sources
      .filter((path) => path.endsWith('.ts'))
      .flatMap((path) => [
        ...read(join('src', path)).matchAll(/^(?:import|export) .*from '([^.'][^']*)'|^} from '([^.'][^']*)'/gm),
      ])
      .map(([, whole, end]) => whole ?? end ?? '')
      .filter((name) => !name.startsWith('node:') && !builtinModules.includes(name))
      .map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/'));
    expect(imported).toContain('pino');
    expect([...new Set(imported)].filter((name) => !(name in manifest.dependencies))).toEqual([]);
  });

  it('is not run by root, and keeps its data in a volume', () => {
    expect(last('USER')).toMatch(/^(?!root$|0$)\w+$/);
    expect(instructions.findLastIndex(({ name }) => name === 'USER')).toBeGreaterThan(
      instructions.findLastIndex(({ name }) => name === 'FROM'),
    );
    expect(last('ENV')).toContain(`EDDY_DATA=${last('VOLUME')}`);
  });

  it('has a health check that tells a healthy node from a broken and a missing one', async () => {
    const [program, ...args] = JSON.parse(last('HEALTHCHECK').replace(/^.*?CMD /, '')) as string[];
    expect(program).toBe('node');
    let status = 200;
    const server = createServer((_request, response) => response.writeHead(status).end()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const check = async (): Promise<number | null> => {
      const moved = args.map((arg) => arg.replace('127.0.0.1:8081', `127.0.0.1:${port}`));
      const [code] = (await once(spawn(process.execPath, moved), 'exit')) as [number | null];
      return code;
    };
    expect(args.join()).toContain('127.0.0.1:8081/healthz');
    expect(await check()).toBe(0);
    status = 503;
    expect(await check()).toBe(1);
    server.close();
    server.closeAllConnections();
    expect(await check()).toBe(1);
  });

  it('starts from nothing but what it copies', async () => {
    const [program, main = ''] = JSON.parse(last('ENTRYPOINT')) as string[];
    expect(program).toBe('node');
    const image = mkdtempSync(join(tmpdir(), 'eddy-image-'));
    try {
      for (const source of copied) cpSync(join(root, source), join(image, source), { recursive: true });
      symlinkSync(join(root, 'node_modules'), join(image, 'node_modules'));
      const options = { program: join(image, inCheckout(main)), cwd: image };
      expect(await runEddy(['--help'], options)).toMatchObject({ code: 0, stderr: '' });
      const eddy = await startEddy([], options);
      expect((await fetch(eddy.http)).status).toBe(200);
      expect((await fetch(eddy.admin)).status).toBe(200);
      expect(await eddy.stop()).toBe(0);
    } finally {
      rmSync(image, { recursive: true, force: true });
    }
  });
});

it('.ci/run is a script that bash can read', () => {
  expect(spawnSync('bash', ['-n', join(root, '.ci/run')]).status).toBe(0);
});
