import type { Answer } from '../cache/types.ts';
import { Fields } from '../fields.ts';
import { BufferContent, type OnServed } from './buffer-content.ts';
import { type Coding, encode } from './coding.ts';
import type { Manifest } from './manifest.ts';
import type { Received } from './receive.ts';

export interface VersionOptions {
  readonly received: Received;
  readonly toEdge: (url: string) => string | undefined;
  readonly onServed: OnServed;
  /** Seconds a client may keep it where the origin says nothing about that. */
  readonly lifetimeSeconds: number;
}

interface Coded {
  readonly content: BufferContent;
  readonly base: readonly string[];
  aged: { readonly seconds: number; readonly fields: Fields } | undefined;
}

/** One version of a manifest as viewers of the edge get it: rewritten and compressed once. */
export class PlaylistVersion {
  readonly manifest: Manifest;
  readonly #onServed: OnServed;
  readonly #bytes: Buffer;
  readonly #rewritten: boolean;
  readonly #lifetimeSeconds: number;
  readonly #encoded = new Map<Coding, Buffer | undefined>();
  readonly #coded = new Map<Coding, Coded>();
  #received: Received;

  constructor(manifest: Manifest, { received, toEdge, onServed, lifetimeSeconds }: VersionOptions) {
    this.manifest = manifest;
    this.#received = received;
    this.#onServed = onServed;
    this.#lifetimeSeconds = lifetimeSeconds;
    const bytes = mayTransform(received.fields) ? manifest.rewrite(toEdge) : received.bytes;
    this.#rewritten = bytes !== received.bytes;
    this.#bytes = bytes;
  }

  get received(): Received {
    return this.#received;
  }

  /** As given to viewers, in no coding. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Whether the viewer that takes this coding would get the origin's bytes as they are. */
  isOriginal(coding: Coding): boolean {
    return !this.#rewritten && this.#of(coding) === this.#of('identity');
  }

  /** The origin said again that it is current. */
  freshen(received: Received): void {
    this.#received = received;
    this.#coded.clear();
  }

  /** The same `fields` for all answers of a second. */
  answer(coding: Coding, nowMs: number): Answer {
    const coded = this.#of(coding);
    const seconds = this.#ageSeconds(nowMs);
    if (coded.aged?.seconds !== seconds)
      coded.aged = { seconds, fields: new Fields([...coded.base, 'Age', String(seconds)]) };
    const { fields } = coded.aged;
    return { kind: 'representation', status: 200, fields, cacheStatus: { hit: true }, content: coded.content };
  }

  #ageSeconds(nowMs: number): number {
    const { fields, atMs } = this.#received;
    const given = Number(fields.get('age') ?? 0);
    return Math.floor((Number.isSafeInteger(given) ? given : 0) + Math.max(0, nowMs - atMs) / 1000);
  }

  #of(coding: Coding): Coded {
    const known = this.#coded.get(coding);
    if (known !== undefined) return known;
    const encoded = this.#encode(coding);
    const made =
      coding === 'identity' || encoded !== undefined
        ? this.#make(encoded ?? this.#bytes, encoded === undefined ? 'identity' : coding)
        : this.#of('identity');
    this.#coded.set(coding, made);
    return made;
  }

  #encode(coding: Coding): Buffer | undefined {
    if (coding === 'identity' || !mayTransform(this.#received.fields)) return undefined;
    if (!this.#encoded.has(coding)) this.#encoded.set(coding, encode(this.#bytes, coding));
    return this.#encoded.get(coding);
  }

  #make(bytes: Buffer, coding: Coding): Coded {
    const { fields } = this.#received;
    const raw = [...fields.without(notCopied).raw];
    const original = coding === 'identity' && !this.#rewritten && !fields.has('content-encoding');
    const etag = original ? fields.get('etag') : `"${this.manifest.version}-${coding}"`;
    if (etag !== undefined) raw.push('ETag', etag);
    if (coding !== 'identity') raw.push('Content-Encoding', coding);
    const vary = fields.get('vary');
    if (vary !== undefined) raw.push('Vary', /accept-encoding|\*/i.test(vary) ? vary : `${vary}, Accept-Encoding`);
    else raw.push('Vary', 'Accept-Encoding');
    if (!hasLifetime(fields)) raw.push('Cache-Control', withMaxAge(fields, this.#lifetimeSeconds));
    else if (fields.has('cache-control')) raw.push('Cache-Control', fields.get('cache-control') ?? '');
    return { content: new BufferContent(bytes, this.#onServed), base: raw, aged: undefined };
  }
}

/** What is said anew of what is given to viewers. */
const notCopied = [
  ...['age', 'etag', 'vary', 'cache-control', 'content-encoding', 'content-length', 'content-range', 'cache-status'],
];

/** RFC 9110 section 7.7 */
function mayTransform(fields: Fields): boolean {
  return !/\bno-transform\b/i.test(fields.get('cache-control') ?? '');
}

function hasLifetime(fields: Fields): boolean {
  return fields.has('expires') || /\b(?:max-age|s-maxage|no-cache)\b/i.test(fields.get('cache-control') ?? '');
}

function withMaxAge(fields: Fields, seconds: number): string {
  const given = fields.get('cache-control');
  return `${given === undefined ? '' : `${given}, `}max-age=${seconds}`;
}
