import { isOfSegment, isUri } from './hls-blocks.ts';

const keptTag = /^#EXT-X-DATERANGE:/;

/** Version of the protocol that has EXT-X-SKIP (section 8). */
const skipVersion = 9;

interface SkipOptions {
  /** Segments that are older than the Skip Boundary. */
  readonly segments: number;
  /** IDs of date ranges that are gone, for a client that asked for that (`_HLS_skip=v2`). */
  readonly removedDateRanges?: readonly string[] | undefined;
}

/** How many segments from the start lie wholly beyond the Skip Boundary (section 6.2.5.1). */
export function segmentsToSkip(
  durations: readonly number[],
  { canSkipUntilSeconds, openSeconds }: { canSkipUntilSeconds: number; openSeconds: number },
): number {
  let left = openSeconds;
  for (let i = durations.length - 1; i >= 0; i--) {
    if (left >= canSkipUntilSeconds) return i + 1;
    left += durations[i] ?? 0;
  }
  return 0;
}

/**
 * A Playlist Delta Update: the first segments with their tags replaced by EXT-X-SKIP. Date ranges all stay, which `v2`
 * allows too. What is in force is said again behind it, since players take it from what they read, not from what they
 * know: the keys for hls.js, and for Shaka the initialization section, without which it does not read a segment of byte
 * ranges as it grows. With it Shaka places each part that is a resource of its own anew, and stalls: there it stays left
 * out. Undefined where there is nothing to skip.
 */
export function deltaUpdate(text: string, { segments, removedDateRanges }: SkipOptions): string | undefined {
  if (segments < 1) return undefined;
  const lines = text.split('\n');
  const kept: string[] = [];
  const inForce = new InForce({ saysMap: /^#EXT-X-PART:.*\bBYTERANGE=/m.test(text) });
  let [skipped, inSegments, at] = [0, false, 0];
  for (; at < lines.length && skipped < segments; at++) {
    const line = lines[at] ?? '';
    if (isUri(line)) skipped++;
    inSegments ||= isOfSegment(line);
    if (!inSegments || keptTag.test(line)) kept.push(line);
    else inForce.read(line);
  }
  if (skipped < segments) return undefined;
  // IDs are quoted strings, in which there is no tab and no line end.
  const removed = removedDateRanges && `,RECENTLY-REMOVED-DATERANGES="${removedDateRanges.join('\t')}"`;
  kept.push(`#EXT-X-SKIP:SKIPPED-SEGMENTS=${segments}${removed ?? ''}`, ...inForce.lines);
  return [...kept.map(withVersion), ...lines.slice(at)].join('\n');
}

/**
 * What applies to the segments that follow: an EXT-X-KEY of each key format, none after METHOD=NONE (section 4.4.4.4), and
 * an EXT-X-MAP, which may be encrypted with the keys that were in force where it stood (section 4.4.4.5).
 */
class InForce {
  readonly #keys = new Map<string, string>();
  readonly #saysMap: boolean;
  #map: { readonly line: string; readonly keys: readonly string[] } | undefined;

  constructor({ saysMap }: { saysMap: boolean }) {
    this.#saysMap = saysMap;
  }

  get lines(): readonly string[] {
    const keys = [...this.#keys.values()];
    if (this.#map === undefined || !this.#saysMap) return keys;
    const { line, keys: before } = this.#map;
    if (before.join() === keys.join()) return [...keys, line];
    return [...before, line, ...(before.length > 0 ? ['#EXT-X-KEY:METHOD=NONE'] : []), ...keys];
  }

  read(line: string): void {
    if (line.startsWith('#EXT-X-MAP:')) this.#map = { line, keys: [...this.#keys.values()] };
    if (!line.startsWith('#EXT-X-KEY:')) return;
    if (/[:,]METHOD=NONE\b/.test(line)) return this.#keys.clear();
    this.#keys.set(/[:,]KEYFORMAT="([^"]*)"/.exec(line)?.[1] ?? 'identity', line);
  }
}

function withVersion(line: string): string {
  const version = /^#EXT-X-VERSION:(\d+)/.exec(line)?.[1];
  return version !== undefined && Number(version) < skipVersion ? `#EXT-X-VERSION:${skipVersion}` : line;
}

/** A playlist that says that requests for versions to come are held (section 4.4.3.8). */
export function offeringBlockingReload(text: string): string {
  const control = /^#EXT-X-SERVER-CONTROL:(.*)$/m.exec(text);
  if (control !== null) {
    const attributes = (control[1] ?? '').replace(/\r$/, '').replace(/(?:^|,)CAN-BLOCK-RELOAD=[A-Z]*/, '');
    const rest = attributes.replace(/^,/, '');
    const offered = `#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES${rest === '' ? '' : `,${rest}`}`;
    return text.replace(control[0], () => offered);
  }
  return text.replace(/^(#EXT-X-TARGETDURATION:.*)$/m, '$1\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES');
}
