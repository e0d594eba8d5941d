const addressesMax = 128;

/** Addresses where members may be found, and who was last found there. */
export class KnownAddresses {
  readonly #selfId: string;
  readonly #found = new Map<string, string | undefined>();

  constructor(selfId: string, addresses: readonly string[]) {
    this.#selfId = selfId;
    for (const address of addresses) this.#found.set(address, undefined);
  }

  /** Those worth dialling: behind which is not this node, nor anybody it is linked to. */
  toDial(isLinked: (peerId: string) => boolean): readonly string[] {
    const isUnlinked = ([, peerId]: readonly [string, string | undefined]): boolean =>
      peerId === undefined || (peerId !== this.#selfId && !isLinked(peerId));
    return [...this.#found].filter(isUnlinked).map(([address]) => address);
  }

  /** Seen on the LAN: to be tried, a member only once it has proven to be one. */
  seen(peerId: string, addresses: readonly string[]): void {
    if (peerId === this.#selfId) return;
    for (const address of addresses.slice(0, 3)) {
      if (this.#found.size >= addressesMax) return;
      this.#found.set(`${address.replace(/\/p2p\/.*$/, '')}/p2p/${peerId}`, peerId);
    }
  }

  /** Who answered there. */
  reached(address: string, peerId: string): void {
    this.#found.set(address, peerId);
  }
}
