import { PeerError } from '../failure.ts';
import type { Link } from '../link/link.ts';
import type { PeerExchange } from '../link/peer-exchange.ts';
import { afterOwnStalls } from '../members/answer-timeout.ts';
import type { Member } from '../members/member.ts';
import type { HeadMessage, StatusName } from '../wire/messages.ts';

/** How a request to a peer ended, for counting. */
export type AskOutcome = StatusName | PeerError['failure'];

interface RaceOptions {
  readonly signal: AbortSignal;
  readonly onOutcome: (outcome: AskOutcome, member: Member) => void;
}

/** A peer to ask, and the encoded request for it. */
export interface Ask {
  readonly link: Link;
  readonly request: Buffer;
  /** Whether nobody else would be faster. */
  readonly patient: boolean;
}

/** The peer that answered first, and its answer. */
export interface Won {
  readonly exchange: PeerExchange;
  readonly head: HeadMessage;
  readonly member: Member;
  /** What it said first. */
  readonly status: StatusName;
}

/** One peer being asked. */
class Attempt {
  readonly exchange: PeerExchange;
  readonly member: Member;
  /** What the peer said first; undefined until then, and when it failed. */
  status: StatusName | undefined;
  head: HeadMessage | undefined;
  /** Its deadline for a first word has passed. */
  isLate = false;
  /** Resolves to this when there is a head, or will be none. Never rejects. */
  readonly settled: Promise<Attempt>;
  readonly #askedMs = performance.now();

  constructor({ link: { asker, member }, request, patient }: Ask, onOutcome: RaceOptions['onOutcome']) {
    this.exchange = asker.ask(request, patient);
    this.member = member;
    this.settled = this.#settle(onOutcome);
  }

  async #settle(onOutcome: RaceOptions['onOutcome']): Promise<Attempt> {
    try {
      const status = await this.exchange.status;
      this.member.answerTimeout.heard(performance.now() - this.#askedMs);
      this.status = status;
      this.head = await this.exchange.head;
      if (this.head !== undefined) return this;
      this.member.breaker.undecided();
      onOutcome(this.exchange.answer ?? status, this.member);
    } catch (error) {
      const failure = error instanceof PeerError ? error.failure : 'broken';
      this.status = undefined;
      if (failure === 'aborted') this.member.breaker.undecided();
      else {
        this.member.breaker.failed();
        onOutcome(failure, this.member);
      }
    }
    return this;
  }
}

/**
 * Asks peers in turn: the next one when one has nothing, fails, or is silent past its deadline. The first head wins and
 * the others are cancelled. Undefined: none of them, in the time there was.
 */
export async function race(asks: readonly Ask[], options: RaceOptions): Promise<Won | undefined> {
  const { signal, onOutcome } = options;
  const waiting = [...asks];
  const running = new Set<Attempt>();
  const next = (): Attempt | undefined => {
    const ask = waiting.shift();
    if (ask === undefined) return undefined;
    const attempt = new Attempt(ask, onOutcome);
    running.add(attempt);
    return attempt;
  };
  const cancelAll = () => {
    for (const { exchange } of running) exchange.cancel();
  };
  signal.addEventListener('abort', cancelAll, { once: true });
  try {
    for (let newest = next(); newest !== undefined; ) {
      const settled = await firstSettled(running, newest);
      if (signal.aborted) throw new PeerError('aborted', 'nobody waits for this any more', signal.reason);
      if (settled === undefined) {
        // With nobody left to ask, one that at least lives is waited for.
        newest = next() ?? [...running].find(({ status }) => status !== undefined);
        continue;
      }
      running.delete(settled);
      const { exchange, head, member, status } = settled;
      if (head !== undefined && status !== undefined) return { exchange, head, member, status };
      // It asked the origin, or knows: this is for nobody but the one who asks the origin for it.
      if (exchange.answer === 'denied') return undefined;
      if (!running.has(newest)) newest = next() ?? [...running][0];
    }
    return undefined;
  } finally {
    signal.removeEventListener('abort', cancelAll);
    for (const { exchange, member, status, isLate } of running) {
      // One that was asked a moment ago has failed at nothing.
      if (status === undefined && isLate && !signal.aborted) {
        member.breaker.failed();
        member.answerTimeout.missed(member.allowedMs);
        onOutcome('timeout', member);
      }
      exchange.cancel();
    }
  }
}

/** Undefined when the newest attempt is silent past its deadline, which counts only until it said something. */
async function firstSettled(running: ReadonlySet<Attempt>, newest: Attempt): Promise<Attempt | undefined> {
  const late = Promise.withResolvers<undefined>();
  const stop = afterOwnStalls(newest.member.allowedMs, () => {
    if (newest.status !== undefined) return;
    newest.isLate = true;
    late.resolve(undefined);
  });
  try {
    return await Promise.race([late.promise, ...[...running].map(({ settled }) => settled)]);
  } finally {
    stop();
  }
}
