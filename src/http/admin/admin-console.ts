import { readdir, readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { AdminReply } from './admin-reply.ts';

const mediaTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const guards = [
  ...['Content-Security-Policy', "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"],
  ...['Referrer-Policy', 'no-referrer'],
  ...['Cross-Origin-Resource-Policy', 'same-origin'],
];

/** The console's files by path, `index.html` as `/`. They hold no data: everything shown comes from the API. */
export async function loadConsole(directory: URL): Promise<Map<string, AdminReply>> {
  const names = (await readdir(directory)).filter((name) => extname(name) in mediaTypes);
  const files = await Promise.all(
    names.map(async (name): Promise<[string, AdminReply]> => {
      const content = await readFile(new URL(name, directory));
      const fields = ['Content-Type', mediaTypes[extname(name)] ?? 'application/octet-stream', ...guards];
      return [name === 'index.html' ? '/' : `/${name}`, { status: 200, fields, content }];
    }),
  );
  return new Map(files);
}
