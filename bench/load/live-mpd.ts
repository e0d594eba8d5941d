import type { LivePiece } from './live-playlist.ts';
import { Reader } from './reader.ts';

/** What a viewer of the bench needs to know of a live MPD; made for those of our own origin. */
export interface LiveMpd {
  readonly updateMs: number;
  readonly delayMs: number;
  readonly renditions: readonly MpdRendition[];
  readonly bytes: Buffer;
}

export interface MpdRendition {
  readonly id: string;
  readonly init: string;
  /** Segments that are there at that time, in epoch milliseconds; oldest first, from that date on. */
  readonly pieces: (nowMs: number, fromMs: number) => readonly LivePiece[];
}

/** A player that joins loads no more than this many. */
const piecesMax = 8;

/** Throws when it is no live MPD with segment templates. */
export function parseLiveMpd(bytes: Buffer): LiveMpd {
  const text = bytes.toString('utf8');
  const startMs = Date.parse(attribute(text, 'availabilityStartTime') ?? '');
  const updateMs = durationMs(attribute(text, 'minimumUpdatePeriod'));
  const delayMs = durationMs(attribute(text, 'suggestedPresentationDelay'));
  if (!(startMs > 0) || !(updateMs > 0)) throw new Error(`no live MPD: ${text.slice(0, 80)}`);
  const renditions = text
    .split(/<Representation\s/)
    .slice(1)
    .map((each) => renditionOf(each, startMs));
  return { updateMs, delayMs, renditions, bytes };
}

export class MpdReader extends Reader<LiveMpd> {
  constructor() {
    super(parseLiveMpd);
  }
}

function renditionOf(text: string, startMs: number): MpdRendition {
  const id = attribute(text, 'id') ?? '';
  const named = (template: string | undefined, values: Readonly<Record<string, string>>) =>
    (template ?? '').replaceAll(/\$(\w+)\$/g, (_, name: string) => values[name] ?? '');
  const [media, timescale] = [attribute(text, 'media'), Number(attribute(text, 'timescale'))];
  const msOf = (ticks: number) => startMs + (1000 * ticks) / timescale;
  const common = { id, init: named(attribute(text, 'initialization'), { RepresentationID: id }) };
  const listed = [...text.matchAll(/<S t="(\d+)" d="(\d+)"/g)].map(([, t = '', d]): LivePiece => {
    const uri = named(media, { RepresentationID: id, Time: t });
    return { uri, startMs: msOf(Number(t)), endMs: msOf(Number(t) + Number(d)) };
  });
  const pieces = (all: readonly LivePiece[], fromMs: number) => all.filter(({ endMs }) => endMs > fromMs);
  if (listed.length > 0) return { ...common, pieces: (_, fromMs) => pieces(listed, fromMs) };
  const duration = Number(attribute(text, 'duration'));
  if (!(duration > 0)) throw new Error(`no segments in ${id}`);
  const piece = (number: number): LivePiece => ({
    uri: named(media, { RepresentationID: id, Number: String(number) }),
    startMs: msOf(number * duration),
    endMs: msOf((number + 1) * duration),
  });
  return {
    ...common,
    pieces: (nowMs, fromMs) => {
      const count = Math.floor(((nowMs - startMs) * timescale) / 1000 / duration);
      const newest = Array.from({ length: Math.min(count, piecesMax) }, (_, i) => piece(count - piecesMax + i));
      return pieces(newest, fromMs);
    },
  };
}

function attribute(text: string, name: string): string | undefined {
  return new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(text)?.[1];
}

function durationMs(value: string | undefined): number {
  return 1000 * Number(/^PT([\d.]+)S$/.exec(value ?? '')?.[1]);
}
