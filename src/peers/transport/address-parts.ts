const circuitPattern = /\/p2p\/([1-9A-HJ-NP-Za-km-z]{40,128})\/p2p-circuit(?:\/|$)/;

/** The peer id of the relay that an address leads through; undefined for an address of the node itself. */
export function relayIn(address: string): string | undefined {
  return circuitPattern.exec(address)?.[1];
}

/** Less the peer id of who is found there. */
export function withoutPeerId(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, '');
}

/** The peer that an address leads to; undefined where it does not say. */
export function peerIdIn(address: string): string | undefined {
  return /\/p2p\/([^/]+)$/.exec(address)?.[1];
}
