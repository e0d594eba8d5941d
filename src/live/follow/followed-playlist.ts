import { ageOf } from '../../semantics/age.ts';
import type { Received } from '../message/receive.ts';
import { Adoption, goesBack, stepBetween } from './adoption.ts';
import { Arrivals } from './arrivals.ts';
import { Audience } from './audience.ts';
import { type Held, has, nextOf } from './blocking.ts';
import type { CameVersion, FollowOptions, Loaded } from './follow-options.ts';
import { holdMs, idleMs, keepaliveMs, restartMs, silenceMs, staleMs } from './follow-times.ts';
import { growth } from './growth.ts';
import type { PlaylistVersion } from './playlist-version.ts';
import { delayMsMax, PollTiming } from './poll-timing.ts';
import { released, Waiters } from './waiters.ts';

/** How soon a version that was not believed is looked at again. */
const unsureMsMax = 1_000;

/** A live playlist that is asked for once for all viewers: its newest version, and who waits for the next. */
export class FollowedPlaylist {
  readonly #options: FollowOptions;
  #pollTiming = new PollTiming();
  readonly #adoption = new Adoption();
  readonly #waiters: Waiters<PlaylistVersion>;
  readonly audience = new Audience();
  /** How often it was asked for, the first time included. */
  loads = 1;
  #version: PlaylistVersion;
  #validatedMs: number;
  #askedMs: number;
  #restartedMs: number | undefined;
  readonly #arrivals: Arrivals;
  #blockingFailures = 0;
  #blocked = false;
  #polling = false;
  #failing = false;
  #loadedMs: number;
  #cancel: (() => void) | undefined;
  #ended = false;
  readonly #ending = new AbortController();

  constructor(first: PlaylistVersion, options: FollowOptions) {
    this.#options = options;
    this.#version = first;
    this.#waiters = new Waiters(options.clock);
    this.#askedMs = this.#loadedMs = options.clock.nowMs();
    this.#validatedMs = this.#currentMs(first.received);
    this.#arrivals = new Arrivals(this.#askedMs);
    this.#blocked = options.waitsUpstream(first.manifest);
    this.#schedule(this.#pollTiming.changed(this.#load(this.#askedMs), growth(undefined, first.manifest)));
  }

  get version(): PlaylistVersion {
    return this.#version;
  }

  /** When the version was last known to be current. */
  get validatedMs(): number {
    return this.#validatedMs;
  }

  /** When the newest media were first seen. */
  get newestMs(): number {
    return this.#arrivals.newestMs;
  }

  /** Whether requests for versions to come are held. */
  get blocks(): boolean {
    const { manifest } = this.#version;
    return this.#options.blocks(manifest) || manifest.canBlockReload === true;
  }

  /** Whether the numbers began anew a short time ago. */
  get restarted(): boolean {
    const sinceMs = this.#options.clock.nowMs() - (this.#restartedMs ?? Number.NEGATIVE_INFINITY);
    return sinceMs < restartMs(this.#version.manifest);
  }

  /** Whether it is not followed any longer: to be asked for anew. */
  get ended(): boolean {
    return this.#ended;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** A viewer asks: the newest version, unless it is too old to be given. */
  ask(): PlaylistVersion | undefined {
    const nowMs = this.#options.clock.nowMs();
    this.#askedMs = nowMs;
    return this.#ended || nowMs - this.#validatedMs > staleMs(this.#version.manifest) ? undefined : this.#version;
  }

  /** For how many milliseconds a request for the newest version is better held; 0: answer now. */
  get worthHoldingMs(): number {
    return this.#arrivals.worthHoldingMs(this.#version.manifest, this.#options.clock.nowMs());
  }

  /** Whether who waits in vain gets what is known: not where an origin that answers offers to hold such requests itself. */
  get answersLate(): boolean {
    return this.#failing || this.#options.blocks(this.#version.manifest);
  }

  /** `release` is called once a version has what is wanted, or with undefined when it does not come in time; see `Waiters`. */
  hold(held: Held, release: (version: PlaylistVersion | undefined) => void): (() => void) | undefined {
    const { manifest } = this.#version;
    const forMs = held.forMs ?? holdMs(manifest, { offered: this.#options.blocks(manifest) });
    return this.#waiters.add(held.wanted, { forMs, release });
  }

  /** The same for who awaits. Rejects when the signal is aborted. */
  holds(held: Held, signal: AbortSignal): Promise<PlaylistVersion | undefined> {
    return released((release) => this.hold(held, release), signal);
  }

  /** The owner in the cell told of a version, that the one at hand is current, or that there is another to be asked for. */
  told(came: Loaded | 'other'): void {
    if (this.#ended || this.#options.owns()) return;
    const nowMs = this.#options.clock.nowMs();
    this.#failing = false;
    if (came !== 'other' && came.kind === 'same') {
      this.#validatedMs = nowMs;
      this.#version.freshen(came.received);
    }
    const version = came !== 'other' && came.kind === 'version' ? this.#believed(came, nowMs) : undefined;
    if (version !== undefined) {
      this.#validatedMs = nowMs;
      this.#adopt(version);
      if (!version.manifest.live) return this.close();
    }
    if (this.#polling) return;
    this.#cancel?.();
    // Now and then the owner is asked, so that it knows that somebody still watches here.
    const { manifest } = this.#version;
    const quietMs = came === 'other' ? 0 : this.#loadedMs + keepaliveMs(manifest) - nowMs;
    this.#schedule(Math.min(Math.max(0, quietMs), silenceMs(manifest)));
  }

  close(fault?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#ending.abort();
    this.#cancel?.();
    this.#waiters.release(undefined, () => true);
    this.#options.onEnd(fault);
  }

  async #poll(): Promise<void> {
    if (this.#idle()) return this.close();
    const startedMs = this.#options.clock.nowMs();
    this.#loadedMs = startedMs;
    this.loads++;
    this.#polling = true;
    const wanted = this.#blocksUpstream ? nextOf(this.#version.manifest) : undefined;
    const loaded = await this.#options.load(wanted, this.#ending.signal);
    this.#polling = false;
    if (this.#ended) return;
    // An origin that refuses to be waited for, or does not wait, is polled for a while.
    const waited =
      loaded.kind === 'version' && stepBetween(this.#version.manifest, loaded.version.manifest) === 'newer';
    this.#blockingFailures = wanted === undefined || waited ? 0 : this.#blockingFailures + 1;
    this.#blocked = wanted !== undefined && waited;
    this.#failing = false;
    if (loaded.kind === 'gone') this.close();
    else if (loaded.kind === 'failed') this.#failed();
    else if (loaded.kind === 'same') this.#freshen(loaded.received, startedMs);
    else this.#take(loaded, startedMs);
  }

  #failed(): void {
    this.#failing = true;
    if (this.#options.clock.nowMs() - this.#validatedMs > staleMs(this.#version.manifest)) this.close();
    else this.#schedule(this.#pollTiming.failed());
  }

  #freshen(received: Received, startedMs: number): void {
    this.#options.tell(this.#version, 'current');
    const load = this.#load(startedMs);
    this.#validatedMs = this.#currentMs(received);
    this.#failing = load.nowMs - this.#validatedMs > silenceMs(this.#version.manifest);
    this.#version.freshen(received);
    this.#schedule(this.#pollTiming.unchanged(load));
  }

  #take(loaded: CameVersion, startedMs: number): void {
    const load = this.#load(startedMs);
    const came = this.#believed(loaded, load.nowMs);
    if (came === undefined) {
      // Numbers that it has not got are no good to wait for there; what it means is to be known soon.
      this.#blockingFailures = 1;
      this.#schedule(Math.min(unsureMsMax, this.#pollTiming.unchanged(load)));
      return;
    }
    this.#validatedMs = this.#currentMs(came.received);
    const { manifest: before } = this.#version;
    const step = stepBetween(before, came.manifest);
    this.#adopt(came);
    if (!came.manifest.live) return this.close();
    if (step === 'changed') return this.#schedule(this.#pollTiming.unchanged(load));
    const goesOn = step === 'newer' && came === loaded.version;
    if (!goesOn) this.#pollTiming = new PollTiming();
    this.#schedule(this.#pollTiming.changed(load, growth(goesOn ? before : undefined, came.manifest)));
  }

  /** What viewers are to get of a version that came: it, or what it is to those who have the one before; or nothing. */
  #believed({ version, anew }: CameVersion, nowMs: number): PlaylistVersion | undefined {
    const { manifest: known } = this.#version;
    if (!this.#adoption.adopts(version.manifest, { known, nowMs, behindMsMax: staleMs(known) })) return undefined;
    const step = stepBetween(known, version.manifest);
    return anew === undefined || !goesBack(step) ? version : anew(nowMs - this.#arrivals.newestMs);
  }

  #adopt(version: PlaylistVersion): void {
    const before = this.#version;
    this.#version = version;
    // Whoever waits for numbers of before a restart gets what there is now.
    const step = stepBetween(before.manifest, version.manifest);
    const restarted = goesBack(step);
    const nowMs = this.#options.clock.nowMs();
    if (restarted) this.#restartedMs = nowMs;
    if (step === 'newer') this.#arrivals.came(version.manifest, { before: before.manifest, nowMs });
    // Other nodes have viewers too, and releasing those of this one takes a while.
    this.#options.tell(version, 'newer');
    this.#waiters.release(version, (wanted) => restarted || has(version.manifest, wanted));
    this.#options.onVersion(version, before);
  }

  get #blocksUpstream(): boolean {
    const { owns, waitsUpstream } = this.#options;
    return this.#blockingFailures === 0 && owns() && waitsUpstream(this.#version.manifest);
  }

  #schedule(pollMs: number): void {
    const { clocked, updateSeconds } = this.#version.manifest;
    const nextMs = clocked === true && !this.#failing ? Math.min(updateSeconds * 1000, delayMsMax) : pollMs;
    const delayMs = this.#blocked && this.#options.owns() ? 0 : nextMs;
    this.#cancel = this.#options.clock.after(delayMs, () => void this.#poll().catch((error) => this.close(error)));
  }

  #idle(): boolean {
    if (this.#waiters.size > 0) return false;
    return this.#options.clock.nowMs() - this.#askedMs > idleMs(this.#version.manifest);
  }

  /** When the origin said that. An owner that it fails gives what it knows: then Age tells. */
  #currentMs({ fields }: Received): number {
    return this.#options.clock.nowMs() - (this.#options.owns() ? 0 : ageOf(fields)) * 1_000;
  }

  readonly #load = (startedMs: number) => ({ startedMs, nowMs: this.#options.clock.nowMs() });
}
