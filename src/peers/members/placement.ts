import { hash } from 'node:crypto';
import { BoundedMap } from '../../bounded-map.ts';

/** A member as placement sees it. */
interface Placed {
  readonly peerId: string;
  /** Share of the pieces, relative to the others: 1 by default. */
  readonly weight: number;
}

/** Bytes that one node is responsible for together, aligned: neighbouring pieces meet on the same nodes. */
export const windowBytes = 4 * 1024 * 1024;

/** Groups whose order is remembered: a live playlist is looked up several times for each of its versions. */
const rememberedMax = 256;

/** The unit of placement: the aligned window of a representation in which a body starts. */
export function groupOf(key: string, first: number): string {
  return `${Math.floor(first / windowBytes)} ${key}`;
}

interface Seeded extends Placed {
  readonly seed: readonly [number, number];
}

/**
 * Weighted rendezvous hashing: every member orders the members alike for every group, each leads in proportion to its
 * weight, and when one comes or goes only what it leads moves. Immutable.
 */
export class Placement {
  readonly #members: readonly Seeded[];
  readonly #orders = new BoundedMap<string, readonly string[]>(rememberedMax);

  constructor(members: readonly Placed[]) {
    this.#members = members.map((member) => ({ ...member, seed: seedOf(`member ${member.peerId}`) }));
  }

  /** Peer ids from the most responsible on. */
  order(group: string): readonly string[] {
    const known = this.#orders.get(group);
    if (known !== undefined) return known;
    const order = this.#order(group);
    this.#orders.set(group, order);
    return order;
  }

  #order(group: string): readonly string[] {
    const [high, low] = seedOf(group);
    return this.#members
      .map(({ peerId, weight, seed }) => ({
        peerId,
        score: -weight / Math.log(uniform(high ^ seed[0], low ^ seed[1])),
      }))
      .sort((a, b) => b.score - a.score || (a.peerId < b.peerId ? -1 : 1))
      .map(({ peerId }) => peerId);
  }
}

function seedOf(text: string): readonly [number, number] {
  const digest = hash('sha256', text, 'buffer');
  return [digest.readUInt32BE(0), digest.readUInt32BE(4)];
}

/** A number in (0, 1) from 64 mixed bits. */
function uniform(a: number, b: number): number {
  const high = mixed(a + Math.imul(b, 0x9e3779b1));
  const low = mixed(b ^ high);
  return (high * 0x20_0000 + (low >>> 11) + 0.5) / 0x20_0000_0000_0000;
}

/** The finalizer of MurmurHash3. */
function mixed(word: number): number {
  let x = word | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
