import type { Answer } from '../../cache/types.ts';
import { Fields } from '../../fields.ts';
import { ageOf } from '../../semantics/age.ts';
import type { Manifest } from '../manifest.ts';
import { BufferContent, type OnServed } from '../message/buffer-content.ts';
import { type Coding, encode } from '../message/coding.ts';
import type { Received } from '../message/receive.ts';

interface VersionOptions {
  readonly received: Received;
  readonly toEdge: (url: string) => string | undefined;
  readonly onServed: OnServed;
  /** Seconds a client may keep a live one, unless the origin says less. */
  readonly lifetimeSeconds: number;
  /** What the edge says beyond what the origin does. */
  readonly edit?: (rewritten: Buffer) => Buffer;
}

/** What a viewer gets of a version. */
interface Form {
  readonly coding: Coding;
  /** A delta update where there is one: `v2` for who keeps the date ranges it knows. */
  readonly delta: false | 'YES' | 'v2';
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
  readonly #encoded = new Map<string, Buffer | undefined>();
  readonly #coded = new Map<string, Coded>();
  /** IDs of date ranges that are gone lately; undefined: nobody knows. Set before viewers see the version. */
  removedDateRanges: readonly string[] | undefined;
  readonly #deltas = new Map<'YES' | 'v2', Buffer>();
  #original: BufferContent | undefined;
  #received: Received;

  constructor(manifest: Manifest, { received, toEdge, onServed, lifetimeSeconds, edit }: VersionOptions) {
    this.manifest = manifest;
    this.#received = received;
    this.#onServed = onServed;
    this.#lifetimeSeconds = lifetimeSeconds;
    const bytes = mayTransform(received.fields) ? manifest.rewrite(toEdge) : received.bytes;
    this.#bytes = edit !== undefined && mayTransform(received.fields) ? edit(bytes) : bytes;
    this.#rewritten = this.#bytes !== received.bytes;
  }

  get received(): Received {
    return this.#received;
  }

  /** Whether the viewer that takes this coding would get the origin's bytes as they are. */
  isOriginal(coding: Coding): boolean {
    return !this.#rewritten && this.#encode(this.#bytes, { coding, delta: false }) === undefined;
  }

  /** The origin said again that it is current. */
  freshen(received: Received): void {
    this.#received = received;
    this.#coded.clear();
  }

  /** The same `fields` for all answers of a second. */
  answer(form: Form, nowMs: number): Answer {
    const coded = this.#of(form);
    const seconds = this.#ageSeconds(nowMs);
    if (coded.aged?.seconds !== seconds)
      coded.aged = { seconds, fields: new Fields([...coded.base, 'Age', String(seconds)]) };
    const { fields } = coded.aged;
    return { kind: 'representation', status: 200, fields, cacheStatus: { hit: true }, content: coded.content };
  }

  /** As it was received: for a member of the cell, which makes of it for its viewers what this node makes for its own. */
  original(nowMs: number): Answer {
    const { bytes, fields } = this.#received;
    this.#original ??= new BufferContent(bytes, this.#onServed);
    // Its coding was taken off.
    const named = fields.has('content-encoding') ? fields.without(['content-encoding', 'etag']) : fields;
    const aged = named.with('Age', this.#ageSeconds(nowMs));
    return { kind: 'representation', status: 200, fields: aged, cacheStatus: { hit: true }, content: this.#original };
  }

  #ageSeconds(nowMs: number): number {
    const { fields, atMs } = this.#received;
    return Math.floor(ageOf(fields) + Math.max(0, nowMs - atMs) / 1000);
  }

  #of(form: Form): Coded {
    return this.#coded.getOrInsertComputed(nameOf(form), () => {
      const bytes = form.delta === false ? this.#bytes : this.#deltaBytes(form.delta);
      const encoded = this.#encode(bytes, form);
      return this.#make(encoded ?? bytes, {
        coding: encoded === undefined ? 'identity' : form.coding,
        delta: bytes !== this.#bytes && form.delta,
      });
    });
  }

  /** The whole playlist where there is no delta update. */
  #deltaBytes(skip: 'YES' | 'v2'): Buffer {
    const { manifest, removedDateRanges } = this;
    return this.#deltas.getOrInsertComputed(skip, () => {
      // Where date ranges are not skipped, v2 means no more than YES.
      const skipsDates = skip === 'v2' && manifest.canSkipDateRangesSeconds !== undefined;
      const mayBe = mayTransform(this.#received.fields) && !(skipsDates && removedDateRanges === undefined);
      const removed = skipsDates ? removedDateRanges : undefined;
      return (mayBe ? manifest.delta?.(this.#bytes, removed) : undefined) ?? this.#bytes;
    });
  }

  #encode(bytes: Buffer, form: Form): Buffer | undefined {
    if (form.coding === 'identity' || !mayTransform(this.#received.fields)) return undefined;
    return this.#encoded.getOrInsertComputed(nameOf(form), () => encode(bytes, form.coding));
  }

  #make(bytes: Buffer, form: Form): Coded {
    const { fields } = this.#received;
    const raw = [...fields.without(notCopied).raw];
    const original = form.coding === 'identity' && bytes === this.#bytes && !this.#rewritten;
    const etag =
      original && !fields.has('content-encoding') ? fields.get('etag') : `"${this.manifest.version}-${nameOf(form)}"`;
    if (etag !== undefined) raw.push('ETag', etag);
    if (form.coding !== 'identity') raw.push('Content-Encoding', form.coding);
    const vary = fields.get('vary');
    if (vary !== undefined) raw.push('Vary', /accept-encoding|\*/i.test(vary) ? vary : `${vary}, Accept-Encoding`);
    else raw.push('Vary', 'Accept-Encoding');
    raw.push(...lifetimeFields(fields, { live: this.manifest.live, seconds: this.#lifetimeSeconds }));
    return { content: new BufferContent(bytes, this.#onServed), base: raw, aged: undefined };
  }
}

function nameOf({ coding, delta }: Form): string {
  return delta === false ? coding : `${coding}-delta-${delta}`;
}

/** What is said anew of what is given to viewers. */
const notCopied = [
  ...['age', 'etag', 'vary', 'cache-control', 'content-encoding', 'content-length', 'content-range', 'cache-status'],
  'expires',
];

/** RFC 9110 section 7.7 */
function mayTransform(fields: Fields): boolean {
  return !/\bno-transform\b/i.test(fields.get('cache-control') ?? '');
}

/**
 * What the origin says of the lifetime. Of a live playlist it may have been said of a version that was waited for, which
 * keeps longer than the playlist does (RFC 8216bis appendix B): then it is cut down.
 */
function lifetimeFields(fields: Fields, { live, seconds }: { live: boolean; seconds: number }): string[] {
  const given = fields.get('cache-control');
  const expires = fields.get('expires');
  if (!live) {
    const lines = given === undefined ? [] : ['Cache-Control', given];
    return expires === undefined ? lines : [...lines, 'Expires', expires];
  }
  const limit = (_: string, name: string, value: string) => `${name}=${Math.min(Number(value), seconds)}`;
  const limited = (given ?? '').replace(/\b(max-age|s-maxage)="?(\d+)"?/gi, limit);
  if (/\b(?:max-age|s-maxage|no-cache)\b/i.test(limited)) return ['Cache-Control', limited];
  return ['Cache-Control', `${limited === '' ? '' : `${limited}, `}max-age=${expires === undefined ? seconds : 0}`];
}
