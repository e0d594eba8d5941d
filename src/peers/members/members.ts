import { withoutPeerId } from '../transport/address-parts.ts';
import { addressesMax, isDialable, type MemberNews, membersMax } from '../wire/messages.ts';
import { AnswerTimeout } from './answer-timeout.ts';
import { Member, type MemberOptions, type PeerReport } from './member.ts';
import { Placement } from './placement.ts';

interface MembersOptions extends MemberOptions {
  readonly selfId: string;
  readonly selfWeight: number;
}

const addressesToldMax = 6;
/** A member whose link closed is given this long to come back before it counts as down. */
const suspectMs = 5_000;
const forgetMs = 3_600_000;
const peerIdPattern = /^[1-9A-HJ-NP-Za-km-z]{40,128}$/;

/** The other members of the cell that this node knows of. */
export class Members {
  readonly #options: MembersOptions;
  readonly #members = new Map<string, Member>();
  #placement: Placement | undefined;
  #isLeaving = false;

  constructor(options: MembersOptions) {
    this.#options = {
      ...options,
      answerTimeout: new AnswerTimeout(),
      onState: (member, before) => {
        this.#placement = undefined;
        options.onState(member, before);
      },
    };
  }

  get(peerId: string): Member | undefined {
    return this.#members.get(peerId);
  }

  all(): Member[] {
    return [...this.#members.values()];
  }

  /** The member of that id, new if it has to be; undefined for this node itself, and when there are too many. */
  meet(peerId: string): Member | undefined {
    const known = this.#members.get(peerId);
    if (known !== undefined || peerId === this.#options.selfId) return known;
    if (this.#members.size >= membersMax || !peerIdPattern.test(peerId)) return undefined;
    const member = new Member(peerId, this.#options);
    this.#members.set(peerId, member);
    return member;
  }

  /** Told of by a member. What is known of it is not replaced by hearsay. Returns whether there is something new. */
  learn({ peerId, addresses }: Pick<MemberNews, 'peerId' | 'addresses'>): boolean {
    const member = this.meet(peerId);
    if (member === undefined) return false;
    const dialable = addresses.map(withoutPeerId).filter(isDialable);
    const isNew = dialable.some((address) => !member.addresses.includes(address));
    member.addresses = [...new Set([...dialable, ...member.addresses])].slice(0, addressesMax);
    return isNew;
  }

  /** What others are told: members that are up. */
  news(): readonly MemberNews[] {
    return this.all()
      .filter(({ state, addresses }) => state === 'up' && addresses.length > 0)
      .map(({ peerId, addresses, weight }) => ({ peerId, weight, addresses: addresses.slice(0, addressesToldMax) }));
  }

  /** This node drains: it is responsible for nothing any more. */
  leave(): void {
    this.#isLeaving = true;
    this.#placement = undefined;
  }

  /** Over the members that are up, and this node unless it drains. */
  placement(): Placement {
    const self = { peerId: this.#options.selfId, weight: this.#options.selfWeight };
    this.#placement ??= new Placement([
      ...(this.#isLeaving ? [] : [self]),
      ...this.all().filter(({ state }) => state === 'up'),
    ]);
    return this.#placement;
  }

  /** Moves on what only time moves. */
  age(nowMs: number, isLinked: (peerId: string) => boolean): void {
    for (const member of this.#members.values()) {
      const agedMs = nowMs - member.stateSinceMs;
      member.release(nowMs);
      if (member.state === 'suspect' && agedMs > suspectMs && !isLinked(member.peerId))
        member.enter('down', member.reason, nowMs);
      if (member.state === 'down' && agedMs > forgetMs) this.#members.delete(member.peerId);
    }
  }

  report(): PeerReport[] {
    return this.all().map((member) => member.report());
  }
}
