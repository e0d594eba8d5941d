import type { Fields } from '../../fields.ts';
import type { Reply } from './reply.ts';
import { emptyReply } from './text-reply.ts';

/** Response fields a script of another origin may read. */
const exposedFields =
  'Age, Date, Cache-Status, Content-Range, Content-Length, ETag, Accept-Ranges, Last-Modified, Expires, Server-Timing, CMSD-Static, CMSD-Dynamic';

const allowedMethods = 'GET, HEAD, OPTIONS';
const allowedFields =
  'Range, If-Range, If-None-Match, If-Modified-Since, Cache-Control, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status';
const preflightSeconds = 86_400;

/** The answer to a CORS preflight; undefined when the request is none. */
export function preflightReply(method: string, fields: Fields): Reply | undefined {
  if (method !== 'OPTIONS' || !fields.has('origin') || !fields.has('access-control-request-method')) return undefined;
  return emptyReply(204, [
    ...['Access-Control-Allow-Origin', '*'],
    ...['Access-Control-Allow-Methods', allowedMethods],
    ...['Access-Control-Allow-Headers', requestedFields(fields.get('access-control-request-headers'))],
    ...['Access-Control-Max-Age', String(preflightSeconds)],
    ...['Vary', 'Access-Control-Request-Method, Access-Control-Request-Headers'],
    ...['Cache-Status', 'eddy'],
  ]);
}

/**
 * What a response needs so that scripts of any origin can read it. An origin's own Access-Control-Allow-Origin stays,
 * and with it its Vary: Origin. Credentials are never allowed here: `*` excludes them.
 */
export function corsFields(origin: { allowsOrigin: boolean; timingAllowed: boolean }): readonly string[] {
  return [
    ...(origin.allowsOrigin ? [] : ['Access-Control-Allow-Origin', '*']),
    ...['Access-Control-Expose-Headers', exposedFields],
    ...(origin.timingAllowed ? [] : ['Timing-Allow-Origin', '*']),
  ];
}

/** Echoes what was asked for when it is a short list of field names, so that nothing else can come back. */
function requestedFields(requested: string | undefined): string {
  if (requested === undefined || requested.length > 1024) return allowedFields;
  const names = requested.split(',').map((name) => name.trim());
  const safe = names.every((name) => /^[!#$%&'*+\-.^_`|~0-9a-z]{1,64}$/i.test(name));
  return safe ? names.join(', ') : allowedFields;
}
