import type { Fields } from '../fields.ts';
import { tokensOf } from './token-list.ts';

/** Fields of the connection (RFC 9110 section 7.6.1) and of the proxy it leads to (section 11.7), lower case. */
export const hopByHop: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization'],
]);

/** Meant for every recipient: a Connection that names them is in error (RFC 9110 section 7.6.1). */
const forAll: ReadonlySet<string> = new Set([
  ...['content-length', 'content-type', 'content-encoding', 'content-range', 'host'],
  ...['date', 'cache-control', 'expires', 'age', 'vary'],
]);

/** The fields of a message that go further: less those of this hop, those that Connection nominates, and the `dropped`. */
export function endToEnd(fields: Fields, dropped: Iterable<string> = []): Fields {
  return fields.without([...hopByHop, ...nominated(fields.get('connection')), ...dropped]);
}

function nominated(connection = ''): readonly string[] {
  return tokensOf(connection).filter((name) => !forAll.has(name));
}
