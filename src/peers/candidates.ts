import type { Link } from './link.ts';
import type { Members } from './members.ts';

export interface CandidatesOptions {
  readonly members: Pick<Members, 'all' | 'placement'>;
  readonly link: (peerId: string) => Link | undefined;
  readonly selfId: string;
  readonly nowMs: () => number;
}

/** A peer to ask. */
export interface Candidate {
  readonly link: Link;
  /** It is not responsible: it is asked for what it holds, and not to fetch it. */
  readonly heldOnly: boolean;
}

/** Responsible nodes asked before the origin is. */
const responsibleMax = 2;
/** A peer that could not give a group, or gave wrong bytes of it, is not asked for it again so soon. */
const avoidMs = 10_000;
const avoidedMax = 1_000;

/** Whom to ask for a group, in order. */
export class Candidates {
  readonly #options: CandidatesOptions;
  readonly #avoided = new Map<string, number>();

  constructor(options: CandidatesOptions) {
    this.#options = options;
  }

  /**
   * Those more responsible than this node, as far as they can be asked, and the nearest that says it holds the group:
   * before the others when it alone says so, for they would have to go to the origin. Empty: go there yourself.
   * `except`: peer ids of those who have just failed.
   */
  for(group: string, except: ReadonlySet<string>): readonly Candidate[] {
    const { members, selfId, link } = this.#options;
    const order = members.placement().order(group);
    const own = order.indexOf(selfId);
    const responsible = order
      .slice(0, own < 0 ? order.length : own)
      .map(link)
      .filter((each) => this.#mayAsk(each, group, except));
    const links = responsible.slice(0, responsibleMax);
    const asked = links.map((each) => ({ link: each, heldOnly: false }));
    const nearest = this.#nearestHolder(group, new Set([...except, ...links.map(({ member }) => member.peerId)]));
    if (nearest === undefined) return asked;
    const holder = { link: nearest, heldOnly: true };
    const known = links.some(({ member }) => member.digest.claims(group));
    return known ? [...asked, holder] : [holder, ...asked];
  }

  avoid(group: string, peerId: string): void {
    this.#avoided.set(`${peerId} ${group}`, this.#options.nowMs() + avoidMs);
    const [oldest] = this.#avoided.keys();
    if (this.#avoided.size > avoidedMax && oldest !== undefined) this.#avoided.delete(oldest);
  }

  #nearestHolder(group: string, except: ReadonlySet<string>): Link | undefined {
    let nearest: Link | undefined;
    for (const member of this.#options.members.all()) {
      if (!member.digest.claims(group)) continue;
      const link = this.#options.link(member.peerId);
      if (!this.#mayAsk(link, group, except)) continue;
      if ((member.rttMs ?? Number.MAX_VALUE) < (nearest?.member.rttMs ?? Number.POSITIVE_INFINITY)) nearest = link;
    }
    return nearest;
  }

  #mayAsk(link: Link | undefined, group: string, except: ReadonlySet<string>): link is Link {
    if (link === undefined || link.isClosed || link.asker.isFull) return false;
    const { member } = link;
    if (except.has(member.peerId) || member.state !== 'up' || !member.breaker.allows) return false;
    return (this.#avoided.get(`${member.peerId} ${group}`) ?? 0) <= this.#options.nowMs();
  }
}
