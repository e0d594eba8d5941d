import type { Link } from '../link/link.ts';
import type { Members } from '../members/members.ts';

export interface CandidatesOptions {
  readonly members: Pick<Members, 'all' | 'placement'>;
  readonly link: (peerId: string) => Link | undefined;
  readonly selfId: string;
}

/** A peer to ask. */
interface Candidate {
  readonly link: Link;
  /** It is not responsible: it is asked for what it holds, and not to fetch it. */
  readonly heldOnly: boolean;
}

/** Responsible nodes asked before the origin is. */
const responsibleMax = 2;

/**
 * Whom to ask for a group, in order: those more responsible than this node, as far as they can be asked, and the nearest
 * that says it holds the group: before the others when it alone says so, for they would have to go to the origin. Empty:
 * go there yourself. `except`: peer ids of those who have just failed.
 */
export function candidatesFor(
  { group, except }: { group: string; except: ReadonlySet<string> },
  { members, selfId, link }: CandidatesOptions,
): readonly Candidate[] {
  const mayAsk = (each: Link | undefined): each is Link =>
    each !== undefined && isOpen(each) && !except.has(each.member.peerId);
  const order = members.placement().order(group);
  const own = order.indexOf(selfId);
  const before = order.slice(0, own < 0 ? order.length : own);
  const responsible = before.map(link).filter(mayAsk).slice(0, responsibleMax);
  const asked = responsible.map((each) => ({ link: each, heldOnly: false }));
  const claiming = members.all().filter(({ digest }) => digest.claims(group));
  const holders = claiming.map(({ peerId }) => link(peerId)).filter(mayAsk);
  const nearest = nearestOf(holders.filter((each) => !responsible.includes(each)));
  if (nearest === undefined) return asked;
  const holder = { link: nearest, heldOnly: true };
  const known = responsible.some(({ member }) => claiming.includes(member));
  return known ? [...asked, holder] : [holder, ...asked];
}

function isOpen({ isClosed, asker, member }: Link): boolean {
  return !isClosed && !asker.isFull && member.state === 'up' && member.breaker.allows;
}

function nearestOf(links: readonly Link[]): Link | undefined {
  const rttMs = ({ member }: Link): number => member.rttMs ?? Number.MAX_VALUE;
  return links.toSorted((a, b) => rttMs(a) - rttMs(b))[0];
}
