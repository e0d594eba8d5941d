import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';

/*
 * Schemas of single values. The `error` of each says what is right, as a noun phrase: whoever reports it adds the key and
 * the value ("ram is "12 potatoes": must be a size …").
 */

/** Where to listen. */
export interface Address {
  /** Host name or IP address, without brackets. */
  readonly host: string;
  /** 0 for any. */
  readonly port: number;
}

const kibi = 1024;
const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kib: kibi,
  mib: kibi ** 2,
  gib: kibi ** 3,
  tib: kibi ** 4,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
};

export function integer(least: number, most: number) {
  const error = `a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

export function fraction(least: number, most: number) {
  const error = `a number from ${least} to ${most}`;
  return z.number({ error }).min(least, { error }).max(most, { error });
}

export function flag() {
  return z.boolean({ error: 'true or false' });
}

/** Bytes: a whole number, or a number with a unit. 0 is always allowed: it turns a tier off. */
export function size({ least }: { least: number }) {
  const error = `a size such as 256MiB, 10GiB or a number of bytes; 0, or at least ${sizeText(least)}`;
  const pattern = /^\d+(?:\.\d+)? ?(?:[KkMmGgTt]i?[Bb]|B)?$/;
  return z
    .union([z.int().min(0), z.string().regex(pattern, { error })], { error })
    .transform((value) => (typeof value === 'number' ? value : bytesOf(value)))
    .refine((bytes) => bytes === 0 || (Number.isSafeInteger(bytes) && bytes >= least), {
      error,
    });
}

/** `256MiB` for whole binary units, plain bytes otherwise. */
export function sizeText(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const each = unitBytes[unit.toLowerCase()] ?? 1;
    if (bytes >= each && bytes % each === 0) return `${bytes / each}${unit}`;
  }
  return `${bytes} bytes`;
}

export function address() {
  const error = 'HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8080, localhost:0 or [::1]:8080';
  return z
    .string({ error })
    .refine((text) => parseAddress(text) !== undefined, { error })
    .transform((text): Address => parseAddress(text) ?? { host: text, port: 0 });
}

/** URL of an upstream: its path is the base that the rest of a target is put after. */
export function originUrl() {
  const error = 'an http or https URL without user, password, query and fragment, such as https://origin.example/vod';
  return z.string({ error }).refine(isOriginUrl, { error });
}

/** An address in libp2p's notation that can be dialled or listened on. */
export function multiaddr() {
  const error =
    'a multiaddr such as /ip4/192.0.2.1/tcp/4001, /dns4/edge.example/tcp/4001 or one of these with /p2p/PEER-ID';
  const pattern = /^\/(?:ip4|ip6|dns|dns4|dns6|dnsaddr)\/[^/\s]+(?:\/[a-z0-9-]+(?:\/[^/\s]+)?)*$/;
  return z.string({ error }).max(1024, { error }).regex(pattern, { error }).refine(isTcpMultiaddr, { error });
}

/** The parts that pattern leaves open: an address of that family, a port, and peer ids in base58 or as a CID. */
function isTcpMultiaddr(text: string): boolean {
  const [, family = '', host = '', ...rest] = text.split('/');
  if (family === 'ip4' && !isIPv4(host)) return false;
  if (family === 'ip6' && !isIPv6(host)) return false;
  const [transport, port = ''] = rest;
  if (family !== 'dnsaddr' && !(transport === 'tcp' && /^\d{1,5}$/.test(port) && Number(port) < 65_536)) return false;
  const peerIds = rest.filter((_, i) => rest[i - 1] === 'p2p');
  return peerIds.every((id) => /^(?:[1-9A-HJ-NP-Za-km-z]{40,64}|b[a-z2-7]{50,80})$/.test(id));
}

/** Text on one line, without control characters. `what` is the noun phrase of its error. */
export function line(what: string, max: number) {
  const error = `${what}, 1 to ${max} characters`;
  return z
    .string({ error })
    .min(1, { error })
    .max(max, { error })
    .regex(/^[^\p{Cc}]+$/u, { error });
}

/** A token by RFC 9110 section 5.6.2, as names of fields are. */
export function fieldName() {
  const error = 'the name of a header field: letters, digits and hyphens, such as Eddy-Cache-Control';
  return z
    .string({ error })
    .max(128, { error })
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { error });
}

/** An authority (RFC 3986 section 3.2) without user information. */
export function authority(what: string) {
  const error = `${what}: a host name or address, with a port if it is not the usual one, such as origin.example:8443`;
  return z
    .string({ error })
    .max(261, { error })
    .regex(/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/, { error });
}

function bytesOf(text: string): number {
  const [, digits = '', unit = ''] = /^([\d.]+) ?([a-z]*)$/i.exec(text) ?? [];
  return Math.floor(Number(digits) * (unitBytes[unit.toLowerCase()] ?? Number.NaN));
}

function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

function isOriginUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || text.length > 2048 || /\s/.test(text)) return false;
  const plain = url.username + url.password === '' && !/[?#]/.test(text);
  return plain && (url.protocol === 'http:' || url.protocol === 'https:');
}
