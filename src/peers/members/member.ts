import { CircuitBreaker } from '../../circuit-breaker.ts';
import { AnnouncementRate } from '../wire/announcement.ts';
import { AnswerTimeout } from './answer-timeout.ts';
import { Average } from './average.ts';
import { PeerDigest } from './digest.ts';

/** `up`: may be asked. `suspect`: silent or just gone. `down`: gone. `quarantined`: gave wrong bytes. */
export type MemberState = 'up' | 'suspect' | 'down' | 'quarantined';

export interface MemberOptions {
  readonly nowMs: () => number;
  readonly onState: (member: Member, before: MemberState) => void;
  /** That with the peers altogether. */
  readonly answerTimeout?: AnswerTimeout;
}

/** What `/api/peers` shows of a member. */
export interface PeerReport {
  readonly peerId: string;
  readonly state: MemberState;
  readonly reason: string;
  readonly stateSinceMs: number;
  readonly rttMs: number | null;
  /** Of bodies received lately, while they were received. */
  readonly bytesPerSecond: number | null;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Share of our requests that it answered with a body. */
  readonly hitShare: number;
  readonly weight: number;
  readonly addresses: readonly string[];
  /** How it is connected: null while it is not, else `direct`, or `relayed` with the peer id of the relay. */
  readonly connection: 'direct' | 'relayed' | null;
  readonly relay: string | null;
}

const rttShare = 0.2;
const throughputShare = 0.3;
const breakerMsMax = 60_000;
const quarantineMsMin = 10 * 60_000;
const quarantineMsMax = 24 * 3_600_000;
/** A body shorter than this says nothing about throughput. */
const measuredBytesMin = 64 * 1024;

/** Another member of the cell: what is known of it and how it did lately. */
export class Member {
  readonly peerId: string;
  readonly breaker: CircuitBreaker;
  readonly digest = new PeerDigest();
  readonly answerTimeout: AnswerTimeout;
  readonly announcements: AnnouncementRate;
  addresses: readonly string[] = [];
  weight = 1;
  /** It relays for others, as it says. */
  relays = false;
  /** Undefined while there is no link. */
  connection: { readonly relay: string | undefined } | undefined;
  bytesIn = 0;
  bytesOut = 0;
  state: MemberState = 'down';
  reason = 'not met yet';
  stateSinceMs: number;
  readonly #options: MemberOptions;
  readonly #rtt = new Average(rttShare);
  readonly #bytesPerSecond = new Average(throughputShare);
  #asked = 0;
  #answered = 0;
  #quarantineMs = 0;

  constructor(peerId: string, options: MemberOptions) {
    this.peerId = peerId;
    this.#options = options;
    this.answerTimeout = new AnswerTimeout(options.answerTimeout);
    this.breaker = new CircuitBreaker({ nowMs: options.nowMs, openMsMax: breakerMsMax });
    this.stateSinceMs = options.nowMs();
    this.announcements = new AnnouncementRate(options.nowMs());
  }

  get rttMs(): number | undefined {
    return this.#rtt.value;
  }

  /** How long to wait for its first word. */
  get allowedMs(): number {
    return this.answerTimeout.allowedMs(this.rttMs ?? 0);
  }

  /** How many times longer than usual it may take for everything else. */
  get slack(): number {
    return this.answerTimeout.slack(this.rttMs ?? 0);
  }

  get bytesPerSecond(): number | undefined {
    return this.#bytesPerSecond.value;
  }

  /** Quarantine ends only by time. */
  enter(state: MemberState, reason: string, nowMs: number): void {
    if (this.state === 'quarantined' && nowMs < this.stateSinceMs + this.#quarantineMs) return;
    const before = this.state;
    this.reason = reason;
    if (before === state) return;
    this.state = state;
    this.stateSinceMs = nowMs;
    this.#options.onState(this, before);
  }

  /** It drains: nothing new is asked of it, and nobody counts on it, while what it gives goes on. */
  leave(nowMs: number): void {
    this.enter('down', 'it is draining', nowMs);
  }

  /** It gave wrong bytes: not asked and not answered for a while, twice as long each time. */
  quarantine(reason: string, nowMs: number): void {
    if (this.state === 'quarantined') return;
    this.#quarantineMs = Math.min(quarantineMsMax, Math.max(quarantineMsMin, this.#quarantineMs * 2));
    this.enter('quarantined', reason, nowMs);
  }

  /** Time served: what it is now is to be found out. */
  release(nowMs: number): void {
    if (this.state !== 'quarantined' || nowMs < this.stateSinceMs + this.#quarantineMs) return;
    this.enter('down', 'quarantine is over', nowMs);
  }

  pong(rttMs: number, nowMs: number): void {
    this.#rtt.add(rttMs);
    if (this.state === 'suspect') this.enter('up', 'answers again', nowMs);
  }

  asked(): void {
    this.#asked++;
    this.breaker.asked();
  }

  answered(): void {
    this.#answered++;
  }

  received(bytes: number, tookMs: number): void {
    if (bytes >= measuredBytesMin && tookMs > 0) this.#bytesPerSecond.add((bytes * 1000) / tookMs);
  }

  report(): PeerReport {
    const relay = this.connection?.relay;
    const how = relay === undefined ? 'direct' : 'relayed';
    return {
      peerId: this.peerId,
      state: this.state,
      reason: this.reason,
      stateSinceMs: this.stateSinceMs,
      rttMs: this.rttMs === undefined ? null : Math.round(this.rttMs * 100) / 100,
      bytesPerSecond: this.bytesPerSecond === undefined ? null : Math.round(this.bytesPerSecond),
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      hitShare: this.#asked === 0 ? 0 : this.#answered / this.#asked,
      weight: this.weight,
      addresses: this.addresses,
      connection: this.connection === undefined ? null : how,
      relay: relay ?? null,
    };
  }
}
