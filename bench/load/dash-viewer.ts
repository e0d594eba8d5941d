import { setTimeout as sleep } from 'node:timers/promises';
import { epochMs, KeepAlive } from './keep-alive.ts';
import type { LiveMpd, MpdReader, MpdRendition } from './live-mpd.ts';
import type { LiveNotes } from './live-viewer.ts';
import { noteError, Playback } from './playback.ts';

export interface DashViewerOptions {
  readonly base: string;
  /** Target of the MPD. */
  readonly playlist: string;
  readonly reader: MpdReader;
  readonly notes: LiveNotes;
  /** Epoch milliseconds from which on times are noted. */
  readonly fromMs: number;
  readonly signal: AbortSignal;
}

/** How often a player looks whether there is something to load, as dash.js does. */
const lookMs = 100;
const retryMs = 500;

/**
 * One viewer of a live MPD: asks for it when its update period is over, and for the segments of each rendition, one after
 * the other, once they are there by the MPD's own clock.
 */
export class DashViewer {
  readonly #options: DashViewerOptions;
  readonly #connections: KeepAlive[] = [];
  #mpd: LiveMpd | undefined;

  constructor(options: DashViewerOptions) {
    this.#options = options;
  }

  /** Resolves once the signal is aborted. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    const stop = () => {
      for (const each of this.#connections) each.close();
    };
    signal.addEventListener('abort', stop, { once: true });
    const manifest = this.#connection();
    let playing: Promise<void>[] = [];
    while (!signal.aborted) {
      const delayMs = await this.#reload(manifest).catch((error: unknown) => this.#failed(error));
      if (playing.length === 0) playing = (this.#mpd?.renditions ?? []).map(({ id }) => this.#play(id));
      await this.#rest(delayMs);
    }
    await Promise.all(playing);
  }

  /** Resolves to when to ask again. */
  async #reload(connection: KeepAlive): Promise<number> {
    const { playlist, reader, notes } = this.#options;
    const got = await connection.get(playlist, true);
    notes.playlists++;
    if (got.status !== 200) throw new Error(`${got.status} for ${playlist}`);
    this.#mpd = reader.read(got.body);
    return this.#mpd.updateMs;
  }

  async #play(id: string): Promise<void> {
    const { notes, fromMs, signal } = this.#options;
    const connection = this.#connection();
    const playback = new Playback(notes, fromMs);
    while (!signal.aborted) {
      const { delayMs: holdBackMs = 0, renditions = [] } = this.#mpd ?? {};
      const rendition = renditions.find((each) => each.id === id);
      const piece = rendition && this.#next(rendition, { playback, holdBackMs });
      if (piece === undefined) {
        await this.#rest(lookMs);
        continue;
      }
      try {
        const got = await connection.get(this.#target(piece.uri), false);
        notes.pieces++;
        notes.bytes += got.bytes;
        if (got.status !== 200) throw new Error(`${got.status} for ${piece.uri.replaceAll(/\d+/g, 'N')}`);
        playback.arrived(got, { endMs: piece.endMs, holdBackMs });
      } catch (error) {
        await this.#rest(this.#failed(error));
      }
    }
  }

  #next(rendition: MpdRendition, { playback, holdBackMs }: { playback: Playback; holdBackMs: number }) {
    const nowMs = epochMs();
    // Dates are in whole milliseconds.
    const fromMs = playback.bufferedMs === 0 ? nowMs - holdBackMs : playback.bufferedMs + 5;
    const [piece] = rendition.pieces(nowMs, fromMs);
    if (piece !== undefined && playback.bufferedMs === 0) playback.bufferedMs = piece.startMs;
    return piece;
  }

  #connection(): KeepAlive {
    const connection = new KeepAlive(this.#options.base);
    this.#connections.push(connection);
    return connection;
  }

  #target(uri: string): string {
    return new URL(uri, `http://viewer${this.#options.playlist}`).pathname;
  }

  #rest(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.#options.signal }).catch(() => {});
  }

  /** Connections are cut at the end. Milliseconds until it is tried again. */
  #failed(error: unknown): number {
    if (!this.#options.signal.aborted) noteError(this.#options.notes, String(error));
    return retryMs;
  }
}
