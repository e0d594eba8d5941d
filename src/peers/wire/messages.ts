import { isIP } from 'node:net';
import { areFieldLines } from '../../semantics/field-lines.ts';
import { PeerError } from '../failure.ts';
import { relayIn } from '../transport/address-parts.ts';

/** First message in both directions: who speaks for which cell. */
export interface Hello {
  /** `Cell.tag` */
  readonly cell: string;
  /** An encoded credential, base64. */
  readonly credential: string;
  readonly weight: number;
}

/** A member as it is told of to others. */
export interface MemberNews {
  readonly peerId: string;
  readonly addresses: readonly string[];
  readonly weight: number;
  /** It lets members that cannot be dialled reach each other through it. */
  readonly relays?: boolean;
}

/** What is asked of a peer. Never forwarded to another peer. */
export interface RequestMessage {
  readonly map: string;
  readonly key: string;
  readonly target: string;
  /** Flat list of names and values, end-to-end fields only. */
  readonly fields: readonly string[];
  /** Only what is held is wanted: nothing is to be fetched for it. */
  readonly heldOnly?: boolean;
}

export type StatusName = 'have' | 'pending' | 'busy' | 'miss' | 'denied';

/** Metadata of an answer; its body follows as data frames. */
export interface HeadMessage {
  readonly status: number;
  readonly fields: readonly string[];
  /** Of the representation; null when it is not known yet. */
  readonly completeLength: number | null;
}

/** `have` carries a head. `pending` says that the head will come in another status; so may `miss` after it. */
export interface StatusMessage {
  readonly answer: StatusName;
  readonly head?: HeadMessage;
}

const jsonBytesMax = 60 * 1024;
/** Members that a node knows, and tells of. */
export const membersMax = 256;
export const addressesMax = 16;
export const addressLengthMax = 256;
const fieldsMax = 256;
const answers: ReadonlySet<string> = new Set(['have', 'pending', 'busy', 'miss', 'denied']);

export function encodeJson(message: Hello | readonly MemberNews[] | RequestMessage | StatusMessage): Buffer {
  return Buffer.from(JSON.stringify(message));
}

/** Undefined when the other side would not take it: too large, or not proper HTTP. */
export function encodeRequest(message: RequestMessage): Buffer | undefined {
  return acceptable(encodeJson(message), parseRequest);
}

/** Undefined when the other side would not take it. */
export function encodeStatus(message: StatusMessage): Buffer | undefined {
  return acceptable(encodeJson(message), parseStatus);
}

export function parseHello(bytes: Buffer): Hello {
  const { cell, credential, weight } = objectIn(bytes, 'hello');
  return { cell: text(cell, 64), credential: text(credential, 256), weight: weightOf(weight) };
}

export function parseMembers(bytes: Buffer): readonly MemberNews[] {
  const list = jsonIn(bytes, 'members');
  if (!Array.isArray(list) || list.length > membersMax) throw malformed('members');
  return list.map((each) => {
    const { peerId, addresses, weight, relays } = asObject(each, 'members');
    return {
      peerId: text(peerId, 128),
      addresses: texts(addresses, addressesMax, addressLengthMax),
      weight: weightOf(weight),
      ...(relays === true && { relays }),
    };
  });
}

export function parseRequest(bytes: Buffer): RequestMessage {
  const { map, key, target, fields, heldOnly = false } = objectIn(bytes, 'request');
  if (typeof heldOnly !== 'boolean') throw malformed('request');
  return {
    ...{ map: text(map, 256), key: text(key, 32_768), target: text(target, 32_768), fields: fieldsOf(fields) },
    heldOnly,
  };
}

export function parseStatus(bytes: Buffer): StatusMessage {
  const { answer, head } = objectIn(bytes, 'status');
  if (typeof answer !== 'string' || !answers.has(answer)) throw malformed('status');
  if (head === undefined) {
    if (answer === 'have') throw malformed('status');
    return { answer: answer as StatusName };
  }
  const { status, fields, completeLength } = asObject(head, 'status');
  if (!isWhole(status) || status < 200 || status > 599) throw malformed('status');
  if (completeLength !== null && !isWhole(completeLength)) throw malformed('status');
  return { answer: answer as StatusName, head: { status, fields: fieldsOf(fields), completeLength } };
}

/** Addresses worth dialling: /ip4 or /ip6 or /dns with /tcp, and not more but the peer id, or a relay's and /p2p-circuit. */
export function isDialable(address: string): boolean {
  const [, family = '', host = '', tcp, port = '', peer, , circuit, more] = address.split('/');
  if (tcp !== 'tcp' || !/^\d{1,5}$/.test(port) || more !== undefined || (peer !== undefined && peer !== 'p2p'))
    return false;
  if (circuit !== undefined && relayIn(address) === undefined) return false;
  if (family === 'ip4' || family === 'ip6') return isIP(host) === (family === 'ip4' ? 4 : 6);
  return ['dns', 'dns4', 'dns6'].includes(family) && /^[\w.-]{1,253}$/.test(host);
}

function acceptable(encoded: Buffer, parse: (bytes: Buffer) => unknown): Buffer | undefined {
  if (encoded.length > jsonBytesMax) return undefined;
  try {
    parse(encoded);
    return encoded;
  } catch {
    return undefined;
  }
}

function fieldsOf(value: unknown): readonly string[] {
  const fields = texts(value, fieldsMax, 32_768);
  if (!areFieldLines(fields)) throw malformed('fields');
  return fields;
}

function texts(value: unknown, countMax: number, lengthMax: number): readonly string[] {
  if (!Array.isArray(value) || value.length > countMax) throw malformed('list');
  return value.map((each) => text(each, lengthMax));
}

function text(value: unknown, lengthMax: number): string {
  if (typeof value !== 'string' || value.length === 0 || value.length > lengthMax) {
    if (value === '' && lengthMax > 1_000) return '';
    throw malformed('text');
  }
  return value;
}

function weightOf(value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0.01 && value <= 100)) throw malformed('weight');
  return value;
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function objectIn(bytes: Buffer, what: string): Record<string, unknown> {
  return asObject(jsonIn(bytes, what), what);
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(what);
  return value as Record<string, unknown>;
}

function jsonIn(bytes: Buffer, what: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new PeerError('broken', `a ${what} message that is no JSON`, error);
  }
}

function malformed(what: string): PeerError {
  return new PeerError('broken', `a message with a malformed ${what}`);
}
