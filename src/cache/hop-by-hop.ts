import type { Fields } from '../fields.ts';

/** Of the connection (RFC 9110 section 7.6.1) and of the proxy it leads to (section 11.7). */
const always = [
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization'],
];

/** Meant for every recipient: a Connection that names them is in error (RFC 9110 section 7.6.1). */
const endToEnd: ReadonlySet<string> = new Set([
  ...['content-length', 'content-type', 'content-encoding', 'content-range', 'host'],
  ...['date', 'cache-control', 'expires', 'age', 'vary'],
]);

/** Names of the fields that end at this hop: the known ones and those that Connection nominates; lower case. */
export function hopByHopNames(fields: Fields): readonly string[] {
  const connection = fields.get('connection');
  if (connection === undefined) return always;
  const nominated = connection.split(',').map((name) => name.trim().toLowerCase());
  return [...always, ...nominated.filter((name) => name !== '' && !endToEnd.has(name))];
}
