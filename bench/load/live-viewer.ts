import { setTimeout as sleep } from 'node:timers/promises';
import { epochMs, type Got, KeepAlive } from './keep-alive.ts';
import type { LivePiece, LivePlaylist, PlaylistReader } from './live-playlist.ts';
import { noteError, Playback } from './playback.ts';

/** Empty. */
export function emptyNotes(): LiveNotes {
  return {
    ...{ releaseMs: [], spreadMs: [], firstMs: new Map(), deliveryMs: [], latencyMs: [], errors: new Map() },
    ...{ stalls: 0, started: 0, playlists: 0, pieces: 0, bytes: 0 },
  };
}

/** What all viewers of a run note together. */
export interface LiveNotes {
  /** From the end of a part by its date to the first byte of the playlist that a blocked reload waited for. */
  readonly releaseMs: number[];
  /** From the first byte that any viewer got of a version to the first byte of this one, who was blocked too. */
  readonly spreadMs: number[];
  /** By playlist and newest piece: when the first viewer had it. */
  readonly firstMs: Map<string, number>;
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
  readonly #playback: Playback;
  #known: LivePlaylist | undefined;

  constructor(options: LiveViewerOptions) {
    this.#options = options;
    this.#playlists = new KeepAlive(options.base);
    this.#media = new KeepAlive(options.base);
    this.#playback = new Playback(options.notes, options.fromMs);
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
    if (directives !== undefined && newestMs > sentMs && sentMs >= fromMs) {
      notes.releaseMs.push(got.firstMs - newestMs);
      this.#spread(got, newestMs);
    }
    return newestMs > (before?.pieces.at(-1)?.endMs ?? 0);
  }

  #spread({ firstMs }: Got, newestMs: number): void {
    const { playlist, notes } = this.#options;
    const version = `${playlist} ${newestMs}`;
    const first = notes.firstMs.get(version) ?? firstMs;
    notes.firstMs.set(version, first);
    notes.spreadMs.push(firstMs - first);
  }

  async #load(playlist: LivePlaylist): Promise<void> {
    if (this.#playback.bufferedMs === 0) {
      const edgeMs = playlist.pieces.at(-1)?.endMs ?? 0;
      this.#playback.bufferedMs =
        playlist.pieces.find(({ endMs }) => endMs > edgeMs - playlist.holdBackMs)?.startMs ?? 0;
    }
    for (const piece of playlist.pieces) {
      // Dates are in whole milliseconds.
      if (piece.endMs <= this.#playback.bufferedMs + 5) continue;
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
    this.#playback.arrived(got, { endMs, holdBackMs: this.#known?.holdBackMs ?? 0 });
  }

  /** Connections are cut at the end. */
  #failed(error: unknown): void {
    if (!this.#options.signal.aborted) this.#error(String(error));
  }

  #error(what: string): void {
    noteError(this.#options.notes, what);
  }
}
