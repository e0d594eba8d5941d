import { messageOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Link } from '../link/link.ts';
import { relayIn } from '../transport/address-parts.ts';
import type { Circuits } from '../transport/circuits.ts';
import { encodeFrame } from '../wire/frames.ts';
import { decodeProbed, encodePorts } from './dial-back.ts';
import { Dials } from './dials.ts';

interface RelaysOptions {
  /** Whether others can dial this node; `auto`: members that relay are asked to try. */
  readonly reachable: boolean | 'auto';
  readonly circuits: Circuits;
  readonly links: () => Iterable<Link>;
  /** Where this node listens. */
  readonly listening: () => readonly string[];
  /** This node has another address. */
  readonly onMoved: () => void;
  readonly log: Log;
}

/** One more than is needed, for when one goes. */
const relaysMax = 2;
const addressesMax = 4;
/** A member that relays is asked again whether it can dial this node. */
const probeEveryMs = 5 * 60_000;
const probeAgainMs = 30_000;

/** What a member that relays has found when it dialled this node. */
interface Verdict {
  readonly askedMs: number;
  /** Undefined until it has answered; null: it could not. */
  address?: string | null;
}

/** Keeps a node that others cannot dial reachable: by reservations on members that relay. */
export class Relays {
  readonly #options: RelaysOptions;
  readonly #dials = new Dials(Date.now, Math.random);
  readonly #verdicts = new WeakMap<Link, Verdict>();

  constructor(options: RelaysOptions) {
    this.#options = options;
  }

  /** Begins what is due. */
  tick(nowMs: number): void {
    const relays = this.#relays();
    for (const link of relays) this.#probe(link, nowMs);
    const { circuits } = this.#options;
    const wanted = relays.filter((link) => this.#isNeeded(link));
    let count = wanted.filter(({ member }) => circuits.hasReservation(member.peerId)).length;
    for (const { member } of wanted) {
      if (count >= relaysMax) return;
      if (circuits.hasReservation(member.peerId)) continue;
      count++;
      this.#dials.attempt(member.peerId, () => this.#reserve(member.peerId));
    }
  }

  /** The member has dialled this node, or could not. Throws PeerError. */
  onProbed(link: Link, payload: Buffer): void {
    const address = decodeProbed(payload) ?? null;
    const verdict = this.#verdicts.get(link);
    if (verdict === undefined || verdict.address === address) return;
    verdict.address = address;
    const about = { peer: link.member.peerId, address };
    this.#options.log.info(about, address === null ? 'a member cannot dial this node' : 'a member can dial this node');
    this.#options.onMoved();
  }

  /** As others can dial this node beside where it listens, without its peer id. */
  addresses(): readonly string[] {
    const { circuits, listening } = this.#options;
    const own = listening();
    const relays = this.#relays();
    const seen = relays.flatMap((link) => this.#verdicts.get(link)?.address ?? []);
    const relayed = relays
      .filter(({ member }) => circuits.hasReservation(member.peerId))
      .flatMap(({ member: { addresses, peerId } }) =>
        addresses.filter(isDirect).map((address) => `${address}/p2p/${peerId}/p2p-circuit`),
      );
    const more = new Set(seen.filter((address) => !own.some((each) => each.startsWith(`${address}/`))));
    return [...more, ...relayed.slice(0, addressesMax)];
  }

  /** Those it could not dial need a relay to it; those who dialled it, and those not heard of yet, do not. */
  #isNeeded(link: Link): boolean {
    const { reachable, listening } = this.#options;
    if (reachable !== 'auto') return !reachable;
    return listening().length === 0 || this.#verdicts.get(link)?.address === null;
  }

  #probe(link: Link, nowMs: number): void {
    const { reachable, listening } = this.#options;
    if (reachable !== 'auto' || !link.dialled || listening().length === 0) return;
    const verdict = this.#verdicts.get(link);
    const againMs = verdict !== undefined && verdict.address === undefined ? probeAgainMs : probeEveryMs;
    if (verdict !== undefined && nowMs - verdict.askedMs < againMs) return;
    this.#verdicts.set(link, { ...verdict, askedMs: nowMs });
    link.send(encodeFrame('probe', encodePorts(listening())));
  }

  async #reserve(relay: string): Promise<void> {
    const { circuits, log, onMoved } = this.#options;
    try {
      await circuits.reserve(relay);
    } catch (error) {
      log.warn({ relay, reason: messageOf(error) }, 'a member that relays refused a reservation');
      throw error;
    }
    log.info({ relay }, 'others reach this node through a member that relays');
    onMoved();
  }

  /** Members that relay, as they can be used; nearest first. */
  #relays(): readonly Link[] {
    return [...this.#options.links()]
      .filter(({ member, relay, isWhole }) => member.relays && member.state === 'up' && relay === undefined && isWhole)
      .filter(({ member }) => member.addresses.some(isDirect))
      .sort((a, b) => (a.member.rttMs ?? Infinity) - (b.member.rttMs ?? Infinity));
  }
}

function isDirect(address: string): boolean {
  return relayIn(address) === undefined;
}
