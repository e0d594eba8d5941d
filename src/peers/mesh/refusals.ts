import { BoundedMap } from '../../bounded-map.ts';

const rememberMs = 60_000;
/** After a connection that only went nowhere; twice as long each time. */
const doubtMs = 1_000;
const rememberedMax = 2_000;
/** Refusals from one address within the time that close it, unless a member lives there. */
const addressRefusalsMax = 16;

/**
 * Remembers who was refused, so that trying again costs less than the first time: a minute for who showed to be no
 * member, shorter for who showed nothing, as a member under load or in a race of two dials may. Bounded, oldest out.
 */
export class Refusals {
  readonly #nowMs: () => number;
  readonly #peers = new BoundedMap<string, { count: number; untilMs: number }>(rememberedMax);
  readonly #addresses = new BoundedMap<string, { count: number; untilMs: number }>(rememberedMax);

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  add(peerId: string, address: string | undefined, why: 'stranger' | 'silent'): void {
    const nowMs = this.#nowMs();
    const count = (this.#peers.get(peerId)?.count ?? 0) + 1;
    const pauseMs = why === 'stranger' ? rememberMs : Math.min(rememberMs, doubtMs * 2 ** Math.min(count - 1, 10));
    this.#peers.set(peerId, { count, untilMs: nowMs + pauseMs });
    if (address === undefined) return;
    const before = this.#addresses.get(address);
    const weight = why === 'stranger' ? 1 : 0.25;
    const times = before !== undefined && before.untilMs > nowMs ? before.count + weight : weight;
    this.#addresses.set(address, { count: times, untilMs: nowMs + rememberMs });
  }

  /** A member was met there: others behind the same address are not held against it. */
  clear(peerId: string, address: string | undefined): void {
    this.#peers.delete(peerId);
    if (address !== undefined) this.#addresses.delete(address);
  }

  refusesPeer(peerId: string): boolean {
    return (this.#peers.get(peerId)?.untilMs ?? 0) > this.#nowMs();
  }

  refusesAddress(address: string): boolean {
    const refused = this.#addresses.get(address);
    return refused !== undefined && refused.count >= addressRefusalsMax && refused.untilMs > this.#nowMs();
  }
}
