import { Fields } from '../../fields.ts';
import { hopByHop } from '../../semantics/hop-by-hop.ts';
import { tokensOf } from '../../semantics/token-list.ts';
import type { ViewerLimits } from '../limits.ts';
import type { Reply } from '../reply/reply.ts';
import { textReply } from '../reply/text-reply.ts';
import type { Mapping } from './policies.ts';
import type { RequestHead } from './request-head.ts';
import { isAuthority, parseTarget } from './target.ts';

export type RequestLimits = Pick<ViewerLimits, 'headBytesMax' | 'targetBytesMax' | 'fieldsMax' | 'bodyBytesMax'>;

/** A valid request: what the cache and the origin may see of it. */
export interface ReadRequest {
  readonly kind: 'request';
  readonly method: string;
  /** Origin-form, or `*`. */
  readonly target: string;
  /** Lower case. */
  readonly authority: string;
  /** End-to-end fields without Host. */
  readonly fields: Fields;
  readonly body: AsyncIterable<Uint8Array> | undefined;
  /** Kept by `mappingOf`. */
  mapping?: Mapping;
}

/** Fields that count for framing, routing and this connection, as found while walking the lines once. */
interface Control {
  hosts: string[];
  contentLengths: string[];
  transferEncodings: string[];
  expectations: string[];
  connection: string[];
  bytes: number;
}

/** Beside those of the connection: what the next hop gets of its own. */
const ownNames: ReadonlySet<string> = new Set(['host', 'http2-settings', 'expect']);

/** Connection options that name no field left to drop; Content-Length frames the content and cannot be nominated away. */
const connectionOptions: ReadonlySet<string> = new Set(['close', 'keep-alive', 'upgrade', 'te', 'content-length']);

/**
 * Validates a request (RFC 9110 section 7, RFC 9112 sections 2.2, 3, 6) and leaves out what is for this hop only.
 * A refused one comes with its answer, which closes the connection when the framing is in doubt.
 */
export function readRequest(head: RequestHead, limits: RequestLimits): ReadRequest | Reply {
  const { control, raw } = walk(head.fields);
  const refused =
    checkSizes(head, control, limits) ?? checkFraming(head, control, limits) ?? checkExpect(head, control);
  if (refused !== undefined) return refused;
  if (head.method === 'CONNECT') return textReply(501, 'CONNECT is not supported', { close: true });

  const target = parseTarget(head.target, head.method);
  if (target.form === 'invalid') return badRequest(target.reason);
  const authority = findAuthority(head, control);
  if (typeof authority !== 'string') return authority;

  const hasBody = head.body !== undefined && head.method !== 'GET' && head.method !== 'HEAD' && head.method !== 'TRACE';
  return {
    kind: 'request',
    method: head.method,
    target: target.form === 'asterisk' ? '*' : target.target,
    // RFC 9112 section 3.2.2: absolute-form overrides Host.
    authority: (target.form === 'absolute' ? target.authority : authority).toLowerCase(),
    fields: endToEnd(raw, control, hasBody),
    body: hasBody ? head.body : undefined,
  };
}

function walk(fields: Fields): { control: Control; raw: string[] } {
  const control: Control = {
    hosts: [],
    contentLengths: [],
    transferEncodings: [],
    expectations: [],
    connection: [],
    bytes: 0,
  };
  const raw: string[] = [];
  for (let i = 0; i + 1 < fields.raw.length; i += 2) {
    const [name, value] = [fields.raw[i] as string, fields.raw[i + 1] as string];
    control.bytes += name.length + value.length + 4;
    const lower = name.toLowerCase();
    if (lower === 'host') control.hosts.push(value);
    else if (lower === 'content-length') control.contentLengths.push(value);
    else if (lower === 'transfer-encoding') control.transferEncodings.push(value);
    else if (lower === 'expect') control.expectations.push(value);
    else if (lower === 'connection') control.connection.push(...tokensOf(value));
    if (!hopByHop.has(lower) && !ownNames.has(lower)) raw.push(name, value);
  }
  return { control, raw };
}

function checkSizes(head: RequestHead, control: Control, limits: RequestLimits): Reply | undefined {
  if (head.target.length > limits.targetBytesMax) {
    return textReply(414, `the request target is longer than ${limits.targetBytesMax} bytes`, { close: true });
  }
  if (head.fields.raw.length / 2 > limits.fieldsMax || control.bytes > limits.headBytesMax) {
    const bounds = `${limits.fieldsMax} field lines and ${limits.headBytesMax} bytes`;
    return textReply(431, `the header section is larger than ${bounds}`, { close: true });
  }
  return undefined;
}

/** RFC 9112 section 6: anything that two parsers could read in two ways is refused, and the connection ends. */
function checkFraming(head: RequestHead, control: Control, limits: RequestLimits): Reply | undefined {
  const { contentLengths, transferEncodings } = control;
  if (transferEncodings.length > 0) {
    if (head.version !== '1.1') return badRequest(`Transfer-Encoding in HTTP/${head.version}`);
    if (contentLengths.length > 0) return badRequest('both Transfer-Encoding and Content-Length');
    if (transferEncodings.length > 1 || transferEncodings[0]?.toLowerCase() !== 'chunked') {
      return textReply(501, 'only the chunked transfer coding is supported', { close: true });
    }
  }
  const [contentLength] = contentLengths;
  if (contentLength === undefined) return undefined;
  if (contentLengths.length > 1 || !/^\d{1,15}$/.test(contentLength)) return badRequest('invalid Content-Length');
  if (Number(contentLength) > limits.bodyBytesMax) {
    return textReply(413, `the content is longer than ${limits.bodyBytesMax} bytes`, { close: true });
  }
  return undefined;
}

/** RFC 9110 section 10.1.1; HTTP/1.0 expectations are ignored. */
function checkExpect(head: RequestHead, control: Control): Reply | undefined {
  if (head.version === '1.0') return undefined;
  const unknown = control.expectations.flatMap(tokensOf).find((member) => member !== '100-continue');
  return unknown === undefined ? undefined : textReply(417, 'only 100-continue can be expected', { close: true });
}

/** RFC 9112 section 3.2 and RFC 9113 section 8.3.1. */
function findAuthority(head: RequestHead, control: Control): string | Reply {
  const { hosts } = control;
  if (hosts.length > 1) return badRequest('more than one Host field');
  const [host] = hosts;
  if (host !== undefined && !isAuthority(host)) return badRequest('invalid Host field');
  if (head.version === '2' && head.authority !== undefined) {
    if (!isAuthority(head.authority)) return badRequest('invalid :authority');
    const differs = host !== undefined && host.toLowerCase() !== head.authority.toLowerCase();
    return differs ? badRequest('Host and :authority differ') : head.authority;
  }
  if (host !== undefined) return host;
  return head.version === '1.0' ? head.localAuthority : badRequest('missing Host field');
}

/** RFC 9110 section 7.6.1: fields nominated by Connection go no further. */
function endToEnd(raw: string[], control: Control, hasBody: boolean): Fields {
  const dropped = control.connection.filter((option) => !connectionOptions.has(option));
  // Without content its length says nothing, and would frame a message onwards.
  if (!hasBody && control.contentLengths.length > 0) dropped.push('content-length');
  return dropped.length === 0 ? new Fields(raw) : new Fields(raw).without(dropped);
}

function badRequest(reason: string): Reply {
  return textReply(400, reason, { close: true });
}
