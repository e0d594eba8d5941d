import { hash } from 'node:crypto';
import { type Announced, announcedMax, type Manifest, manifestBytesMax } from './manifest.ts';
import { mpdRepresentations, mpdTerms } from './mpd-representations.ts';
import { rewriteMpd } from './mpd-rewrite.ts';
import { type Segments, segmentsOf } from './mpd-segments.ts';
import { liveWindow } from './mpd-window.ts';
import { type MpdElement, readMpdXml } from './mpd-xml.ts';

/**
 * A DASH MPD (ISO/IEC 23009-1); undefined where it is not one that is understood. What it announces while live is the
 * newest that is there at `nowMs` and what comes before the next update; of a static one, everything.
 * @param url where it came from: relative URLs resolve against it
 */
export function parseMpd(bytes: Buffer, { url, nowMs }: { url: string; nowMs: number }): Manifest | undefined {
  const root = rootOf(bytes);
  if (root === undefined) return undefined;
  const terms = mpdTerms(root);
  const segments = mpdRepresentations(root, url).map(segmentsOf);
  const window = terms.dynamic ? liveWindow(segments, { terms, nowMs }) : undefined;
  const mediaSequence = window?.mediaSequence;
  let announced: readonly Announced[] | undefined;
  return {
    kind: 'dash',
    level: 'media',
    live: terms.dynamic,
    updateSeconds: window?.updateSeconds ?? longestSeconds(segments),
    version: versionOf(bytes, root, mediaSequence),
    windowSeconds: terms.dynamic ? terms.timeShiftBufferSeconds : terms.presentationSeconds,
    newest: mediaSequence === undefined ? undefined : { mediaSequence },
    edgeMs: window?.edgeMs,
    get announced() {
      announced ??= window === undefined ? everything(segments) : window.announced();
      return announced;
    },
    rewrite: (toEdge) => rewriteMpd(bytes, { root, url, toEdge }),
  };
}

function rootOf(bytes: Buffer): MpdElement | undefined {
  if (bytes.length > manifestBytesMax) return undefined;
  try {
    const root = readMpdXml(bytes);
    return root.name === 'MPD' ? root : undefined;
  } catch {
    return undefined;
  }
}

/** The time of publication says nothing of the media; in an MPD that only counts on, the newest segment does. */
function versionOf(bytes: Buffer, root: MpdElement, mediaSequence: number | undefined): string {
  const published = root.attributes.get('publishTime');
  const said =
    published === undefined
      ? bytes
      : Buffer.concat([bytes.subarray(0, published.first), bytes.subarray(published.end)]);
  return `${hash('sha256', said, 'base64url')} ${mediaSequence ?? ''}`;
}

function longestSeconds(all: readonly Segments[]): number {
  const first = all.map((segments) => {
    const span = segments.spans?.at(0);
    return span === undefined ? 0 : segments.durationSeconds(span);
  });
  return first.reduce((longest, each) => Math.max(longest, each), 0);
}

/** All URLs of one MPD together, in characters. */
const urlsMax = 4 * 1024 * 1024;

function everything(all: readonly Segments[]): Announced[] {
  const total = all.reduce((sum, { spans }) => sum + (spans?.count ?? 0), 0);
  const each = total <= announcedMax ? announcedMax : Math.floor(announcedMax / all.length);
  const found: Announced[] = [];
  let left = urlsMax;
  for (const segments of all)
    for (const announced of inOrder(segments, each)) {
      left -= announced.url.length;
      if (left < 0 || found.push(announced) >= announcedMax) return found;
    }
  return found;
}

function* inOrder({ before, spans, announce }: Segments, max: number): Generator<Announced> {
  yield* before;
  for (let index = 0; index < Math.min(max, spans?.count ?? 0); index++) {
    const span = spans?.at(index);
    const announced = span && announce(span);
    if (announced === undefined) return;
    yield announced;
  }
}
