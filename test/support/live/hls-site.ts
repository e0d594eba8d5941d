import { type LiveChannel, livePlaylist, liveSegment } from '../../../src/sample/live.ts';
import type { Clock } from './clock.ts';
import { targetSeconds } from './ll-hls-playlist.ts';
import { multivariantPlaylist } from './multivariant.ts';
import type { Rendition } from './rendition.ts';
import { type Answer, type Ask, found, foundMedia, type Site } from './site.ts';

export interface HlsOptions {
  readonly clock: Clock;
  readonly renditions: readonly Rendition[];
  /** Default 0. */
  readonly firstSequence?: number;
}

/** Live HLS with fMP4 segments, as players poll it: `index.m3u8`, and below each rendition `live.m3u8` and the media. */
export class HlsSite implements Site {
  readonly #clock: Clock;
  readonly #renditions: readonly Rendition[];
  readonly #firstSequence: number;

  constructor({ clock, renditions, firstSequence = 0 }: HlsOptions) {
    this.#clock = clock;
    this.#renditions = renditions;
    this.#firstSequence = firstSequence;
  }

  async answer({ path }: Ask): Promise<Answer | undefined> {
    if (path === 'index.m3u8')
      return found(Buffer.from(multivariantPlaylist('live.m3u8')), { type: 'm3u8', lifetimeSeconds: 60 });
    const [name, file = ''] = path.split('/', 2);
    const rendition = this.#renditions.find((each) => each.name === name);
    if (rendition === undefined) return undefined;
    const complete = Math.floor(rendition.partsEnded(this.#clock.nowMs()) / rendition.partsPerSegment);
    if (file === 'live.m3u8')
      return found(Buffer.from(this.#playlist(rendition, complete)), {
        type: 'm3u8',
        lifetimeSeconds: targetSeconds(rendition) / 2,
      });
    if (file === 'init.mp4')
      return foundMedia(rendition.track.init, { type: 'mp4', etag: `init-${rendition.track.name}` });
    const sequence = /^seg-(\d{1,12})\.m4s$/.exec(file)?.[1];
    if (sequence === undefined) return undefined;
    const segment = Number(sequence) - this.#firstSequence;
    if (segment < 0 || segment >= complete || segment < complete - 2 * rendition.grid.windowSegments) return undefined;
    const etag = `${rendition.grid.epochMs}-segment-${segment}`;
    return foundMedia(rendition.segmentBytes(segment), { type: 'm4s', etag });
  }

  #playlist(rendition: Rendition, complete: number): string {
    const first = Math.max(0, complete - rendition.grid.windowSegments);
    const lines = [
      '#EXTM3U',
      '#EXT-X-VERSION:7',
      `#EXT-X-TARGETDURATION:${targetSeconds(rendition)}`,
      `#EXT-X-MEDIA-SEQUENCE:${this.#firstSequence + first}`,
      '#EXT-X-MAP:URI="init.mp4"',
    ];
    for (let segment = first; segment < complete; segment++) {
      const beganAt = new Date(Math.round(rendition.segmentStartMs(segment))).toISOString();
      lines.push(`#EXT-X-PROGRAM-DATE-TIME:${beganAt}`, `#EXTINF:${rendition.segmentSeconds(segment).toFixed(5)},`);
      lines.push(`seg-${this.#firstSequence + segment}.m4s`);
    }
    return `${lines.join('\n')}\n`;
  }
}

/** Live HLS in MPEG-TS, audio and video in one, with a discontinuity at each round of the sample: `index.m3u8`. */
export class TransportStreamSite implements Site {
  readonly #clock: Clock;
  readonly #channel: LiveChannel;
  readonly #segments: readonly Buffer[];

  constructor({ clock, epochMs, segments }: { clock: Clock; epochMs: number; segments: readonly Buffer[] }) {
    this.#clock = clock;
    this.#segments = segments;
    this.#channel = { epochMs, durationsMs: segments.map(() => 2_000) };
  }

  async answer({ path }: Ask): Promise<Answer | undefined> {
    const nowMs = this.#clock.nowMs();
    if (path === 'index.m3u8')
      return found(Buffer.from(livePlaylist(nowMs, this.#channel)), { type: 'm3u8', lifetimeSeconds: 1 });
    const sequence = /^seg-(\d{1,12})\.ts$/.exec(path)?.[1];
    const index = sequence === undefined ? undefined : liveSegment(Number(sequence), nowMs, this.#channel);
    const segment = index === undefined ? undefined : this.#segments[index];
    if (segment === undefined) return undefined;
    return foundMedia(segment, { type: 'ts', etag: `${this.#channel.epochMs}-segment-${sequence}` });
  }
}
