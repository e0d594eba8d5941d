import type { Fields } from '../fields.ts';

/** Request fields that make the answer somebody's own. */
const personal = ['authorization', 'proxy-authorization', 'cookie'];

/** Whether a request with these fields may be shown to peers and answered by them. */
export function mayAskPeers(method: string, fields: Fields): boolean {
  if (method !== 'GET' || personal.some((name) => fields.has(name))) return false;
  return !forbids(fields.get('cache-control'));
}

/** Whether a target looks like that of a content key, which stays between the origin and one node. */
export function isKeyTarget(target: string): boolean {
  return /\.key$/i.test(target.split('?', 1)[0] ?? '');
}

/** The length of an AES-128 key (RFC 8216 section 5), and of no media. */
export const keyBytes = 16;

/** Whether an answer with these fields may be given to peers, or taken from them. */
export function mayGivePeers(fields: Fields): boolean {
  return !forbids(fields.get('cache-control')) && !fields.has('set-cookie');
}

/** `no-store` or `private`, with or without field names (RFC 9111 sections 5.2.2.5 and 5.2.2.7). */
function forbids(cacheControl: string | undefined): boolean {
  return cacheControl !== undefined && /(?:^|[,\s])(?:no-store|private)(?:$|[,;=\s])/i.test(cacheControl);
}
