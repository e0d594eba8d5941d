const rememberMs = 60_000;
const rememberedMax = 2_000;
/** Refusals from one address within the time that close it, unless a member lives there. */
const addressRefusalsMax = 16;

/** Remembers for a minute who was refused, so that trying again costs less than the first time. Bounded, oldest out. */
export class Refusals {
  readonly #nowMs: () => number;
  readonly #peers = new Map<string, number>();
  readonly #addresses = new Map<string, { count: number; untilMs: number }>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  add(peerId: string | undefined, address: string | undefined): void {
    const untilMs = this.#nowMs() + rememberMs;
    if (peerId !== undefined) remember(this.#peers, peerId, untilMs);
    if (address === undefined) return;
    const before = this.#addresses.get(address);
    const count = before !== undefined && before.untilMs > this.#nowMs() ? before.count + 1 : 1;
    remember(this.#addresses, address, { count, untilMs });
  }

  /** A member was met there: others behind the same address are not held against it. */
  clear(peerId: string, address: string | undefined): void {
    this.#peers.delete(peerId);
    if (address !== undefined) this.#addresses.delete(address);
  }

  refusesPeer(peerId: string): boolean {
    return (this.#peers.get(peerId) ?? 0) > this.#nowMs();
  }

  refusesAddress(address: string): boolean {
    const refused = this.#addresses.get(address);
    return refused !== undefined && refused.count >= addressRefusalsMax && refused.untilMs > this.#nowMs();
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > rememberedMax && oldest !== undefined) map.delete(oldest);
}
