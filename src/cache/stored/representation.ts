import { EddyError } from '../../errors.ts';
import type { Fields } from '../../fields.ts';
import { validatorOf } from '../../semantics/validators.ts';
import type { Flight } from '../flight/flight.ts';
import type { Need } from '../flight/held-pieces.ts';
import { Reader } from '../flight/reader.ts';
import { type FreshnessTerms, freshnessTerms } from '../rules/freshness.ts';
import { Selecting } from '../rules/vary.ts';
import { type MapPolicy, pieceBytes, type StoredResponse } from '../types.ts';
import { ownString, sharingStrings } from './shared-strings.ts';
import { UnservedRanges } from './unserved-ranges.ts';

/** What is left of a flight when its last reader leaves and it is finished all the same; a larger rest is given up. */
const finishBytesMax = 8 * 1024 * 1024;

/** How far a flight may run ahead of its fastest reader. */
const runAheadBytesMax = 32 * 1024 * 1024;

/** How long a flight that is far ahead waits for a first reader. */
const claimTimeoutMs = 10_000;

/** A stored response while it is in use: its metadata, its readers, and the flights that fill its gaps. */
export class Representation {
  readonly key: string;
  /** Target URI of the request that stored it, as the origin knows it. */
  readonly target: string;
  readonly unserved = new UnservedRanges();
  /** Set when it was stored from what a supplier brought, and not loaded from before a restart. */
  fetched = false;
  /** Set once an origin answered a range with the whole: gaps then cost a fetch of everything. */
  rangesIgnored = false;
  #stored: StoredResponse;
  #strong: string | undefined;
  #terms: { readonly policy: MapPolicy; readonly terms: FreshnessTerms } | undefined;
  #selecting: Selecting | undefined;
  // Sets are made when they are needed: most representations rest, and an empty set takes 200 bytes.
  #flights: Set<Flight> | undefined;
  #givers: Set<string> | undefined;
  #readers: Set<Reader> | undefined;
  #moved: PromiseWithResolvers<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(stored: StoredResponse, where: { key: string; target: string }) {
    this.#stored = sharingStrings(stored);
    this.#strong = validatorOf(stored.fields).strong;
    this.key = where.key;
    this.target = ownString(where.target);
  }

  get stored(): StoredResponse {
    return this.#stored;
  }

  set stored(stored: StoredResponse) {
    this.#stored = sharingStrings(stored);
    this.#strong = validatorOf(stored.fields).strong;
    this.#terms = undefined;
    this.#selecting = undefined;
  }

  /** Whether it may answer a request with these fields (RFC 9111 section 4.1). */
  matches(request: Fields): boolean {
    this.#selecting ??= new Selecting(this.#stored);
    return this.#selecting.matches(request);
  }

  /** What decides about its reuse; kept until it is freshened or the policy changes. */
  terms(policy: MapPolicy): FreshnessTerms {
    if (this.#terms?.policy !== policy)
      this.#terms = { policy, terms: freshnessTerms(this.#stored, { target: this.target, policy }) };
    return this.#terms.terms;
  }

  /** Those that bring its bytes, and those that have ended and hold bytes for its readers. */
  get flights(): ReadonlySet<Flight> {
    return this.#flights ?? none;
  }

  /** Ids of the peers that gave of it, as far as is known: not from before a restart. */
  get givers(): ReadonlySet<string> {
    return this.#givers ?? none;
  }

  get id(): number {
    return this.#stored.id;
  }

  get completeLength(): number | undefined {
    return this.#stored.completeLength;
  }

  /** The strong validator that lets bytes of several responses be combined (RFC 9110 section 15.3.7.3). */
  get strongValidator(): string | undefined {
    return this.#strong;
  }

  get busy(): boolean {
    return this.#readers !== undefined || this.#flights !== undefined;
  }

  begin(flight: Flight): void {
    this.#flights ??= new Set();
    this.#flights.add(flight);
  }

  givenBy(peerIds: Iterable<string>): void {
    for (const peerId of peerIds) {
      this.#givers ??= new Set();
      this.#givers.add(peerId);
    }
  }

  join(range: { first: number; last: number | undefined }, signal: AbortSignal): Reader {
    const reader = new Reader(range, signal);
    this.#readers ??= new Set();
    this.#readers.add(reader);
    this.#move();
    return reader;
  }

  /** The reader is done. A flight that nobody wants any more finishes only if little is left of it. */
  leave(reader: Reader): void {
    reader.leave();
    this.#readers?.delete(reader);
    if (this.#readers?.size === 0) this.#readers = undefined;
    this.#move();
    for (const flight of this.flights)
      if (!flight.ended && !this.#wanted(flight) && !finishable(flight)) giveUp(flight);
    this.#settle();
  }

  advance(reader: Reader, offset: number): void {
    const crossed = Math.floor(offset / pieceBytes) !== Math.floor(reader.offset / pieceBytes);
    reader.offset = offset;
    reader.failures = 0;
    reader.fruitless = 0;
    if (this.#moved !== undefined) this.#move();
    if (crossed) this.#settle();
  }

  /** Keeps a flight from running far ahead of everybody; resolves when it may take the next chunk. */
  async pace(flight: Flight): Promise<void> {
    while (!flight.ended) {
      const need = this.#need(flight);
      const { furthest = flight.first } = need;
      const unclaimed = need.furthest === undefined;
      const near = flight.position - furthest <= (unclaimed ? finishBytesMax : runAheadBytesMax);
      if (flight.held.trim(need) && (near || (unclaimed && finishable(flight)))) return;
      const inTime = await this.#movement(claimTimeoutMs);
      if (!inTime && this.#need(flight).furthest === undefined) giveUp(flight);
    }
  }

  /** A flight has ended: what it holds stays readable for those who get it nowhere else. */
  settle(): void {
    this.#settle();
  }

  /** Runs once when nobody reads and nothing flies: the moment its bytes may be dropped. */
  whenIdle(run: () => void): void {
    this.#onIdle = run;
    this.#settle();
  }

  #settle(): void {
    for (const flight of this.flights)
      if (flight.ended && flight.held.settle(this.#need(flight))) this.#flights?.delete(flight);
    if (this.#flights?.size === 0) this.#flights = undefined;
    if (this.busy) return;
    const run = this.#onIdle;
    this.#onIdle = undefined;
    run?.();
  }

  #wanted(flight: Flight): boolean {
    for (const reader of this.#readers ?? none) if (reader.wants(flight.position, flight.last)) return true;
    return false;
  }

  #need(flight: Flight): Need {
    let least: number | undefined;
    let furthest: number | undefined;
    for (const reader of this.#readers ?? none) {
      if (!reader.wants(flight.first, flight.last)) continue;
      if (reader.offset < (least ?? Number.POSITIVE_INFINITY)) least = reader.offset;
      if (reader.offset > (furthest ?? -1)) furthest = reader.offset;
    }
    return { least, furthest };
  }

  #move(): void {
    this.#moved?.resolve();
    this.#moved = undefined;
  }

  async #movement(timeoutMs: number): Promise<boolean> {
    this.#moved ??= Promise.withResolvers<void>();
    const moved = this.#moved.promise.then(() => true);
    const late = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => late.resolve(false), timeoutMs);
    try {
      return await Promise.race([moved, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}

const none: ReadonlySet<never> = new Set<never>();

function finishable(flight: Flight): boolean {
  if (flight.last === undefined) return flight.position - flight.first <= finishBytesMax;
  return flight.last - flight.position < finishBytesMax;
}

function giveUp(flight: Flight): void {
  flight.fail(new EddyError('aborted', 'nobody reads this any more', { side: 'internal' }));
  flight.controller.abort();
}
