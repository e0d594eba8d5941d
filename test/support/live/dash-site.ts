import type { Clock } from './clock.ts';
import { type DashForm, liveMpd } from './dash-mpd.ts';
import { growingSegment } from './growing-segment.ts';
import type { Rendition } from './rendition.ts';
import { type Answer, type Ask, found, foundMedia, type Refusal, refused, type Site } from './site.ts';

const forms: readonly DashForm[] = ['number', 'timeline', 'low-latency'];

/** Live DASH: `number.mpd`, `timeline.mpd` and `low-latency.mpd`, their media below each rendition, and `time.txt`. */
export class DashSite implements Site {
  /** Requests for media that were not available by the MPD's own clock. */
  readonly refusals: Refusal[] = [];
  readonly #clock: Clock;
  readonly #renditions: readonly Rendition[];

  constructor({ clock, renditions }: { clock: Clock; renditions: readonly Rendition[] }) {
    this.#clock = clock;
    this.#renditions = renditions;
  }

  async answer(ask: Ask): Promise<Answer | undefined> {
    const nowMs = this.#clock.nowMs();
    const { path } = ask;
    if (path === 'time.txt')
      return found(Buffer.from(new Date(nowMs).toISOString()), { type: 'txt', lifetimeSeconds: 0 });
    const form = forms.find((each) => path === `${each}.mpd`);
    if (form !== undefined) {
      const mpd = liveMpd(form, { renditions: this.#renditions, nowMs });
      return found(Buffer.from(mpd), { type: 'mpd', lifetimeSeconds: 1 });
    }
    const [name, file = ''] = path.split('/', 2);
    const rendition = this.#renditions.find((each) => each.name === name);
    if (rendition === undefined) return undefined;
    if (file === 'init.mp4')
      return foundMedia(rendition.track.init, { type: 'mp4', etag: `init-${rendition.track.name}` });
    const [, how = '', value] = /^(time-|chunked-)?(\d{1,15})\.m4s$/.exec(file) ?? [];
    if (value === undefined) return undefined;
    const segment = how === 'time-' ? segmentAt(rendition, Number(value)) : Number(value);
    return segment === undefined ? undefined : this.#segment(rendition, { segment, chunked: how === 'chunked-', ask });
  }

  async #segment(
    rendition: Rendition,
    { segment, chunked, ask }: { segment: number; chunked: boolean; ask: Ask },
  ): Promise<Answer | undefined> {
    const { partsPerSegment, grid } = rendition;
    const ended = rendition.partsEnded(this.#clock.nowMs());
    const complete = Math.floor(ended / partsPerSegment);
    if (segment < complete - 2 * grid.windowSegments) return undefined;
    const etag = `${grid.epochMs}-segment-${segment}`;
    if (segment < complete) return foundMedia(rendition.segmentBytes(segment), { type: 'm4s', etag });
    // As an encoder that writes it into place: open from its beginning on, with nothing to send until the first part ends.
    if (chunked && ended >= segment * partsPerSegment)
      return growingSegment({ rendition, clock: this.#clock, segment, range: undefined, etag, signal: ask.signal });
    const readyMs = chunked ? rendition.segmentStartMs(segment) : rendition.segmentStartMs(segment + 1);
    const earlyMs = Math.round(readyMs - this.#clock.nowMs());
    if (this.refusals.length < 1000) this.refusals.push({ why: `${earlyMs} ms too early`, path: ask.path, query: '' });
    return refused(404, 'not available yet');
  }
}

function segmentAt(rendition: Rendition, ticks: number): number | undefined {
  const segment = Math.floor(((ticks / rendition.track.timescale) * 1000 + 1) / rendition.grid.segmentMs);
  return [segment - 1, segment].find((each) => each >= 0 && rendition.segmentTicks(each) === ticks);
}
