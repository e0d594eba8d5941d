import { setTimeout as sleep } from 'node:timers/promises';
import { epochMs, type Got, KeepAlive } from './keep-alive.ts';
import type { LivePiece, LivePlaylist, PlaylistReader } from './live-playlist.ts';

/** What all viewers of a run note together. */
export interface LiveNotes {
  /** From the end of a part by its date to the first byte of the playlist that a blocked reload waited for. */
  readonly releaseMs: number[];
  /** From the end of a piece by its date to its last byte. */
  readonly deliveryMs: number[];
  /** How far the picture was behind when a piece came. */
  readonly latencyMs: number[];
  readonly errors: Map<string, number>;
  stalls: number;
  started: number;
  playlists: number;
  pieces: number;
  bytes: number;
}

export interface LiveViewerOptions {
  readonly base: string;
  /** Target of the media playlist. */
  readonly playlist: string;
  readonly reader: PlaylistReader;
  readonly notes: LiveNotes;
  /** Epoch milliseconds from which on times are noted. */
  readonly fromMs: number;
  readonly signal: AbortSignal;
  /** Parts are asked for as they are hinted, on a connection of their own. */
  readonly hints: boolean;
}

/** One rendition of one viewer, who behaves as RFC 8216bis section 6.3 says: no faster, and no more than is needed. */
export class LiveViewer {
  readonly #options: LiveViewerOptions;
  readonly #playlists: KeepAlive;
  readonly #media: KeepAlive;
  /** Date up to which media are there, and the one that plays at the wall clock's time 0. */
  #bufferedMs = 0;
  #offsetMs: number | undefined;
  #known: LivePlaylist | undefined;

  constructor(options: LiveViewerOptions) {
    this.#options = options;
    this.#playlists = new KeepAlive(options.base);
    this.#media = new KeepAlive(options.base);
  }

  /** Resolves once the signal is aborted. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    const stop = () => {
      this.#playlists.close();
      this.#media.close();
    };
    signal.addEventListener('abort', stop, { once: true });
    let loading: Promise<void> = Promise.resolve();
    while (!signal.aborted) {
      try {
        const changed = await this.#reload();
        const playlist = this.#known;
        if (playlist === undefined) continue;
        if (changed) loading = loading.then(() => this.#load(playlist)).catch((error) => this.#failed(error));
        if (playlist.next !== undefined) continue;
        // Section 6.3.4: a whole target duration after a change, half of one after none.
        await sleep(changed ? playlist.targetMs : playlist.targetMs / 2, undefined, { signal });
      } catch (error) {
        if (signal.aborted) break;
        this.#failed(error);
        await sleep(500, undefined, { signal }).catch(() => {});
      }
    }
    await loading;
  }

  async #reload(): Promise<boolean> {
    const { playlist, notes, reader, fromMs } = this.#options;
    const before = this.#known;
    const sentMs = epochMs();
    const directives = before?.next;
    const got = await this.#playlists.get(directives === undefined ? playlist : `${playlist}?${directives}`, true);
    notes.playlists++;
    if (got.status !== 200) {
      this.#known = undefined;
      throw new Error(`${got.status} for ${playlist}`);
    }
    const known = reader.read(got.body);
    this.#known = known;
    const newestMs = known.pieces.at(-1)?.endMs ?? 0;
    // Only who was waiting when the part ended was released.
    if (directives !== undefined && newestMs > sentMs && sentMs >= fromMs) notes.releaseMs.push(got.firstMs - newestMs);
    return newestMs > (before?.pieces.at(-1)?.endMs ?? 0);
  }

  async #load(playlist: LivePlaylist): Promise<void> {
    if (this.#bufferedMs === 0) {
      const edgeMs = playlist.pieces.at(-1)?.endMs ?? 0;
      this.#bufferedMs = playlist.pieces.find(({ endMs }) => endMs > edgeMs - playlist.holdBackMs)?.startMs ?? 0;
    }
    for (const piece of playlist.pieces) {
      // Dates are in whole milliseconds.
      if (piece.endMs <= this.#bufferedMs + 5) continue;
      await this.#piece(piece);
    }
    if (this.#options.hints && playlist.hint !== undefined && playlist === this.#known)
      await this.#hinted(playlist.hint);
  }

  async #piece(piece: LivePiece): Promise<void> {
    this.#arrived(await this.#get(piece.uri), piece.endMs);
  }

  /** The part is a part target long at most; its end is known with the next playlist, which waits for the same moment. */
  async #hinted(uri: string): Promise<void> {
    const got = await this.#get(uri);
    const piece = this.#known?.pieces.find((each) => each.uri === uri);
    // Where the playlist is later than the part, the next load finds that it is there.
    if (piece !== undefined) this.#arrived(got, piece.endMs);
  }

  async #get(uri: string): Promise<Got> {
    const { playlist, notes } = this.#options;
    const target = new URL(uri, `http://viewer${playlist}`).pathname;
    const got = await this.#media.get(target, false);
    notes.pieces++;
    notes.bytes += got.bytes;
    if (got.status !== 200) this.#error(`${got.status} for ${target.replaceAll(/\d+/g, 'N')}`);
    return got;
  }

  #arrived(got: Got, endMs: number): void {
    const { notes, fromMs } = this.#options;
    if (this.#offsetMs !== undefined && got.doneMs - this.#offsetMs > this.#bufferedMs) {
      notes.stalls++;
      // It goes on from where it stopped.
      this.#offsetMs = got.doneMs - this.#bufferedMs;
    }
    const startMs = this.#bufferedMs;
    this.#bufferedMs = Math.max(this.#bufferedMs, endMs);
    const { holdBackMs = 0 } = this.#known ?? {};
    if (this.#offsetMs === undefined && (endMs >= epochMs() - holdBackMs || endMs - startMs >= holdBackMs)) {
      this.#offsetMs = Math.max(holdBackMs, got.doneMs - this.#bufferedMs + holdBackMs / 2);
      notes.started++;
    }
    if (got.doneMs < fromMs) return;
    notes.deliveryMs.push(got.doneMs - endMs);
    if (this.#offsetMs !== undefined) notes.latencyMs.push(this.#offsetMs);
  }

  /** Connections are cut at the end. */
  #failed(error: unknown): void {
    if (!this.#options.signal.aborted) this.#error(String(error));
  }

  #error(what: string): void {
    const { errors } = this.#options.notes;
    if (errors.size < 20 || errors.has(what)) errors.set(what, (errors.get(what) ?? 0) + 1);
  }
}
