import { readdir, readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Resource, resourceOf } from './resource.ts';

/** Everything the sample serves from files, by path. A path is looked up, never resolved, so none leads elsewhere. */
export type SampleFiles = ReadonlyMap<string, Resource>;

const immutable = 'max-age=3600, immutable';
const forPlaylists = 'max-age=60';
const forPages = 'no-cache';

/** Reads page, players and media, some 8 MB, into memory. */
export async function readSampleFiles(): Promise<SampleFiles> {
  const files = new Map<string, Resource>();
  const here = fileURLToPath(new URL('.', import.meta.url));
  for (const path of await filesUnder(join(here, 'media')))
    files.set(`/vod/${urlPath(relative(join(here, 'media'), path))}`, await readResource(path));
  for (const path of await filesUnder(join(here, 'page')))
    files.set(`/${urlPath(relative(join(here, 'page'), path))}`, await readResource(path, forPages));
  for (const [name, path] of playerLibraries()) files.set(`/vendor/${name}`, await readResource(path));
  const page = files.get('/index.html');
  if (page !== undefined) files.set('/', page);
  return files;
}

/** The players' own builds, from the packages that the lock file pins. */
function playerLibraries(): ReadonlyMap<string, string> {
  const require = createRequire(import.meta.url);
  const beside = (name: string, path: string) => join(require.resolve(`${name}/package.json`), '..', path);
  return new Map([
    ['hls.min.js', beside('hls.js', 'dist/hls.min.js')],
    ['dash.all.min.js', join(require.resolve('dashjs'), '..', 'dash.all.min.js')],
  ]);
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

const urlPath = (path: string): string => path.split(sep).join('/');

async function readResource(path: string, cacheControl?: string): Promise<Resource> {
  const [bytes, { mtimeMs: modifiedMs }] = await Promise.all([readFile(path), stat(path)]);
  const contentType = contentTypeOf(path);
  const isPlaylist = path.endsWith('.m3u8') || path.endsWith('.mpd');
  return resourceOf(bytes, {
    contentType,
    cacheControl: cacheControl ?? (isPlaylist ? forPlaylists : immutable),
    modifiedMs,
  });
}

const contentTypes: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.m3u8': 'application/vnd.apple.mpegurl',
  '.m4s': 'video/mp4',
  '.mp4': 'video/mp4',
  '.mpd': 'application/dash+xml',
  '.svg': 'image/svg+xml',
  '.ts': 'video/mp2t',
};

function contentTypeOf(path: string): string {
  const type = contentTypes[extname(path)];
  if (type === undefined) throw new Error(`${path}: the sample has no content type for this kind of file`);
  const sound = type === 'video/mp4' && path.split(sep).some((part) => part === 'audio' || part === 'audio.mp4');
  return sound ? 'audio/mp4' : type;
}
