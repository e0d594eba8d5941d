import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';

export type PlayerName = 'hls.js' | 'dash.js' | 'shaka';

/** What one page saw of one play; see test/player/player.js. */
export interface PlayReport {
  readonly errors: readonly string[];
  readonly stalls: readonly string[];
  readonly responses: readonly { readonly url: string; readonly cacheStatus: string | null }[];
  /** From opening the player to moving pictures; undefined when it never came to that. */
  readonly startMs: number | undefined;
  /** By the media clock and by the wall clock, since the start. */
  readonly playedSeconds: number;
  readonly watchedSeconds: number;
  readonly framesDecoded: number;
  readonly height: number;
}

/** What one page saw of one live play; see test/player/live-player.js. */
export interface LivePlayReport extends Omit<PlayReport, 'responses'> {
  /** Errors that the player got over. */
  readonly warnings: readonly string[];
  /** How far the picture, and the end of the buffer, were behind the real time; a sample each 200 ms. */
  readonly latencyMs: readonly number[];
  readonly bufferLagMs: readonly number[];
  /** Whether the picture moved in the last second. */
  readonly playsAtEnd: boolean;
  /** Fragments that came. */
  readonly responses: number;
  /** Answers with a status of 500 and more, and requests that failed, as `status target`. */
  readonly serverErrors: readonly string[];
}

export interface LivePlayOptions {
  readonly playMs: number;
  readonly settleMs: number;
  /** Awaited when the page has its player, before it asks for the stream. */
  readonly begin?: () => Promise<void>;
}

export interface PlayerPages {
  /** Plays in a page and a browser cache of its own. */
  play(player: PlayerName, url: string, options: { readonly playMs: number }): Promise<PlayReport>;
  /** Plays a live stream; samples are taken once `settleMs` after the start have passed. */
  playLive(player: PlayerName, url: string, options: LivePlayOptions): Promise<LivePlayReport>;
  close(): Promise<void>;
}

/** Long enough for three players that start at once on a busy machine; only a broken one waits for it. */
const startMsMax = 20_000;

/** Serves the players' page from a port of its own: to it, every stream is on another site. */
export async function openPlayerPages(browser: Browser): Promise<PlayerPages> {
  const files = playerFiles();
  const server = createServer((request, response) => {
    const path = files.get(request.url ?? '');
    if (path === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': extname(path) === '.html' ? 'text/html' : 'text/javascript' });
    pipeline(createReadStream(path), response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const inPage = async <T>(path: string, work: (page: Page) => Promise<T>): Promise<T> => {
    const context = await browser.newContext();
    try {
      const page = await context.newPage();
      await page.goto(`http://127.0.0.1:${port}${path}`);
      return await work(page);
    } finally {
      await context.close();
    }
  };
  return {
    play: (player, url, { playMs }) =>
      inPage('/player.html', (page) => page.evaluate(playInPage, { player, url, playMs, startMsMax })),
    playLive: (player, url, { begin, ...options }) =>
      inPage('/live-player.html', async (page) => {
        const serverErrors: string[] = [];
        // Without CORS fields a page is not told the status: that is a failure to it, whoever failed.
        page.on('requestfailed', (request) => {
          const why = request.failure()?.errorText ?? '';
          if (!why.includes('ERR_ABORTED')) serverErrors.push(`${why} ${new URL(request.url()).pathname}`);
        });
        page.on('response', (response) => {
          if (response.status() >= 500) serverErrors.push(`${response.status()} ${new URL(response.url()).pathname}`);
        });
        await page.evaluate(prepareLiveInPage, player);
        await begin?.();
        const report = await page.evaluate(playLiveInPage, { player, url, startMsMax, ...options });
        return { ...report, serverErrors };
      }),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Runs in the page. */
function playInPage(options: object): Promise<PlayReport> {
  return (globalThis as unknown as { play(options: object): Promise<PlayReport> }).play(options);
}

/** Runs in the page. */
function prepareLiveInPage(player: PlayerName): Promise<void> {
  return (globalThis as unknown as { prepareLive(player: PlayerName): Promise<void> }).prepareLive(player);
}

/** Runs in the page. */
function playLiveInPage(options: object): Promise<LivePlayReport> {
  return (globalThis as unknown as { playLive(options: object): Promise<LivePlayReport> }).playLive(options);
}

function playerFiles(): ReadonlyMap<string, string> {
  const require = createRequire(import.meta.url);
  const here = (name: string) => fileURLToPath(new URL(`../player/${name}`, import.meta.url));
  const shaka = join(require.resolve('shaka-player/package.json'), '..', 'dist');
  return new Map([
    ['/player.html', here('player.html')],
    ['/player.js', here('player.js')],
    ['/live-player.html', here('live-player.html')],
    ['/live-player.js', here('live-player.js')],
    ['/libraries/hls.min.js', join(require.resolve('hls.js/package.json'), '..', 'dist', 'hls.min.js')],
    ['/libraries/dash.all.min.js', join(require.resolve('dashjs'), '..', 'dash.all.min.js')],
    ...['shaka-player.compiled.js', 'shaka-player.transmuxer-worker.js'].map(
      (name) => [`/libraries/${name}`, join(shaka, name)] as const,
    ),
  ]);
}
