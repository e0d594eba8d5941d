const doorsMax = 128;

/** Addresses where members may be found, and who was last found there. */
export class Doors {
  readonly #selfId: string;
  readonly #found = new Map<string, string | undefined>();

  constructor(selfId: string, addresses: readonly string[]) {
    this.#selfId = selfId;
    for (const address of addresses) this.#found.set(address, undefined);
  }

  /** Those worth knocking at: behind which is not this node, nor anybody it is linked to. */
  closed(isLinked: (peerId: string) => boolean): readonly string[] {
    const isClosed = ([, peerId]: readonly [string, string | undefined]): boolean =>
      peerId === undefined || (peerId !== this.#selfId && !isLinked(peerId));
    return [...this.#found].filter(isClosed).map(([address]) => address);
  }

  /** Seen on the LAN: to be tried, a member only once it has proven to be one. */
  seen(peerId: string, addresses: readonly string[]): void {
    if (peerId === this.#selfId) return;
    for (const address of addresses.slice(0, 3)) {
      if (this.#found.size >= doorsMax) return;
      this.#found.set(`${address.replace(/\/p2p\/.*$/, '')}/p2p/${peerId}`, peerId);
    }
  }

  opened(address: string, peerId: string): void {
    this.#found.set(address, peerId);
  }
}
