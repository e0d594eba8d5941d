import type { Libp2p } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { PeerError } from '../failure.ts';
import type { Link } from '../link/link.ts';
import { relayIn } from '../transport/address-parts.ts';
import { encodeFrame } from '../wire/frames.ts';
import { addressLengthMax } from '../wire/messages.ts';

const portsMax = 3;
const dialTimeoutMs = 5_000;
const pauseMs = 20_000;

/** TCP ports of these addresses, as a probe carries them: u16 each. */
export function encodePorts(addresses: readonly string[]): Buffer {
  const own = addresses.filter((address) => relayIn(address) === undefined);
  const ports = new Set(own.map((address) => Number(/\/tcp\/(\d+)/.exec(address)?.[1] ?? 0)));
  const encoded = [...ports].filter((port) => port > 0).slice(0, portsMax);
  const payload = Buffer.alloc(2 * encoded.length);
  for (const [i, port] of encoded.entries()) payload.writeUInt16BE(port, 2 * i);
  return payload;
}

/** The address that a member was dialled at, without its peer id; undefined: none. Throws PeerError. */
export function decodeProbed(payload: Buffer): string | undefined {
  const text = payload.toString('latin1');
  if (text.length > addressLengthMax || !/^(?:\/ip[46]\/[\da-f.:]+\/tcp\/\d{1,5})?$/i.test(text))
    throw new PeerError('broken', 'a malformed answer to a probe');
  return text === '' ? undefined : text;
}

/**
 * Dials members back that want to know whether they can be: only at the address they are seen at, as AutoNAT does, so that
 * nobody is made to knock elsewhere; one at a time, and each member at most three times a minute.
 */
export class DialBack {
  readonly #probed = new WeakMap<Link, number>();
  #isBusy = false;

  /** Answers a probe when it can be answered now. Throws PeerError when it is malformed. */
  answer(host: Libp2p, link: Link, payload: Buffer): void {
    if (payload.length % 2 !== 0 || payload.length > 2 * portsMax) throw new PeerError('broken', 'a malformed probe');
    const nowMs = performance.now();
    const tooEarly = nowMs - (this.#probed.get(link) ?? Number.NEGATIVE_INFINITY) < pauseMs;
    if (this.#isBusy || tooEarly || link.relay !== undefined) return;
    this.#probed.set(link, nowMs);
    const ports = Array.from({ length: payload.length / 2 }, (_, i) => payload.readUInt16BE(2 * i));
    this.#isBusy = true;
    void firstReached(host, link, ports).then((reached) => {
      this.#isBusy = false;
      link.send(encodeFrame('probed', Buffer.from(reached ?? '', 'latin1')));
    });
  }
}

/** Never rejects. */
async function firstReached(host: Libp2p, link: Link, ports: readonly number[]): Promise<string | undefined> {
  const [seen] = link.remoteAddress.getComponents();
  if (seen?.name !== 'ip4' && seen?.name !== 'ip6') return undefined;
  for (const port of ports) {
    const address = `/${seen.name}/${seen.value}/tcp/${port}`;
    try {
      const where = multiaddr(`${address}/p2p/${link.member.peerId}`);
      const connection = await host.dial(where, { force: true, signal: AbortSignal.timeout(dialTimeoutMs) });
      await connection.close();
      return address;
    } catch {
      // Not there.
    }
  }
  return undefined;
}
