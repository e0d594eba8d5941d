import { describe, expect, it } from 'vitest';
import { type Ask, race } from '../../src/peers/ask/race.ts';
import type { Link } from '../../src/peers/link/link.ts';
import type { PeerExchange } from '../../src/peers/link/peer-exchange.ts';
import { Member } from '../../src/peers/members/member.ts';
import type { HeadMessage, StatusName } from '../../src/peers/wire/messages.ts';

const head: HeadMessage = { status: 200, fields: [], completeLength: null };

/** A peer that says its first word when `says` resolves. `onAsked` is called when it is asked. */
function peer(peerId: string, says: Promise<StatusName>, onAsked = () => {}): { ask: Ask; member: Member } {
  const member = new Member(peerId, { nowMs: Date.now, onState: () => {} });
  const cancelled = Promise.withResolvers<never>();
  const status = Promise.race([says, cancelled.promise]);
  const answered = status.then((name) => (name === 'have' ? head : undefined));
  answered.catch(() => {});
  const cancel = () => cancelled.reject(new Error('cancelled'));
  const exchange = { status, head: answered, answer: undefined, cancel } as unknown as PeerExchange;
  const ask = () => {
    onAsked();
    return exchange;
  };
  const link = { member, asker: { ask } } as unknown as Link;
  return { ask: { link, request: Buffer.alloc(0), patient: false }, member };
}

describe('who answers first', () => {
  it('wins, and who was asked a moment before has not failed: only who was silent past its deadline has', async () => {
    const never = new Promise<StatusName>(() => {});
    const late = Promise.withResolvers<StatusName>();
    const silent = peer('silent', never);
    const slow = peer('slow', late.promise);
    const last = peer('last', never, () => late.resolve('have'));
    const outcomes: string[] = [];
    const won = await race([silent.ask, slow.ask, last.ask], {
      signal: new AbortController().signal,
      onOutcome: (outcome, { peerId }) => outcomes.push(`${peerId} ${outcome}`),
    });
    expect(won?.member.peerId).toBe('slow');
    expect(outcomes).toEqual(['silent timeout']);
    expect(last.member.answerTimeout.usualMs).toBeUndefined();
    expect(silent.member.answerTimeout.usualMs).toBeGreaterThan(0);
  });
});
