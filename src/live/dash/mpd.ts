import { hash } from 'node:crypto';
import { type Announced, announcedMax, type Manifest, manifestBytesMax } from '../manifest.ts';
import { type MpdTerms, mpdRepresentations, mpdTerms } from './mpd-representations.ts';
import { rewriteMpd } from './mpd-rewrite.ts';
import { type Segments, segmentsOf } from './mpd-segments.ts';
import { liveWindow, type Window } from './mpd-window.ts';
import { type MpdElement, readMpdXml } from './mpd-xml.ts';

/**
 * A DASH MPD (ISO/IEC 23009-1); undefined where it is not one that is understood. What a live one announces depends on the
 * time at which it is asked: the newest that is there, and what comes before the next update. A static one announces all.
 * @param url where it came from: relative URLs resolve against it
 */
export function parseMpd(bytes: Buffer, { url, nowMs }: { url: string; nowMs: () => number }): Manifest | undefined {
  const root = rootOf(bytes);
  if (root === undefined) return undefined;
  const terms = mpdTerms(root);
  const segments = mpdRepresentations(root, url).map(segmentsOf);
  const window = (): Window => liveWindow(segments, { terms, nowMs: nowMs() });
  const targetSeconds = longestSeconds(segments);
  const rest = {
    kind: 'dash',
    level: 'media',
    version: hash('sha256', bytes, 'base64url'),
    rewrite: (toEdge: (url: string) => string | undefined) => rewriteMpd(bytes, { root, url, toEdge }),
  } as const;
  if (!terms.dynamic) return { ...rest, ...settled({ segments, targetSeconds, terms }) };
  const { updateSeconds } = window();
  return {
    ...rest,
    live: true,
    updateSeconds,
    clocked: !segments.some(({ listed }) => listed),
    targetSeconds: Math.max(updateSeconds, targetSeconds),
    windowSeconds: terms.timeShiftBufferSeconds,
    get newest() {
      const { mediaSequence } = window();
      return mediaSequence === undefined ? undefined : { mediaSequence };
    },
    get edgeMs() {
      return window().edgeMs;
    },
    get announced() {
      return window().announced();
    },
  };
}

type Settled = Omit<Manifest, 'kind' | 'level' | 'version' | 'rewrite'>;

function settled(about: { segments: readonly Segments[]; targetSeconds: number; terms: MpdTerms }): Settled {
  const { segments, targetSeconds, terms } = about;
  let announced: readonly Announced[] | undefined;
  return {
    live: false,
    updateSeconds: targetSeconds,
    targetSeconds,
    windowSeconds: terms.presentationSeconds,
    newest: undefined,
    edgeMs: undefined,
    get announced() {
      announced ??= everything(segments);
      return announced;
    },
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
