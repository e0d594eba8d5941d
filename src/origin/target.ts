import { epochParameter } from '../cache/types.ts';
import { EddyError } from '../errors.ts';

/**
 * The path and query to ask an upstream for: its base path, then what follows the map's prefix in the target, byte for
 * byte but for the mirror's own parameter. Nothing in the target can name another host: it is only ever the request target of a connection to the upstream.
 * @param target origin-form (RFC 9112 section 3.2.1)
 * @throws EddyError bad-request, or target-not-mapped when the target lies outside the prefix or climbs out of the base
 */
export function upstreamPath(target: string, map: { name: string; prefix: string; basePath: string }): string {
  if (!originForm.test(target)) {
    throw new EddyError('bad-request', `target ${JSON.stringify(shown(target))} is not a path that starts with /`, {
      side: 'downstream',
    });
  }
  const rest = afterPrefix(withoutEpoch(target), map.prefix);
  if (rest === undefined || (map.basePath !== '/' && climbsOut(rest))) {
    throw new EddyError('target-not-mapped', `target ${shown(target)} is not under ${map.prefix} of map ${map.name}`, {
      side: 'downstream',
    });
  }
  return rest.startsWith('/') ? map.basePath.replace(/\/$/, '') + rest : map.basePath + rest;
}

/** The origin knows nothing of epochs. */
function withoutEpoch(target: string): string {
  const mark = target.indexOf('?');
  if (mark < 0 || !target.includes(`${epochParameter}=`, mark)) return target;
  const parameters = target.slice(mark + 1).split('&');
  const kept = parameters.filter((each) => !each.startsWith(`${epochParameter}=`));
  return target.slice(0, mark) + (kept.length === 0 ? '' : `?${kept.join('&')}`);
}

const originForm = /^\/[\x21-\x7e\x80-\xff]*$/;

/** What follows the prefix: from its slash on, or from the query on, or nothing; undefined outside the prefix. */
function afterPrefix(target: string, prefix: string): string | undefined {
  const bare = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
  if (!target.startsWith(bare)) return undefined;
  const rest = target.slice(bare.length);
  if (rest.startsWith('/')) return rest;
  // `/live?x` belongs to the prefix `/live`, but not to `/live/`.
  if (prefix.endsWith('/')) return undefined;
  return rest === '' || rest.startsWith('?') ? rest : undefined;
}

/**
 * Whether dot segments (RFC 3986 section 5.2.4) lead above the base for an upstream that decodes before it resolves
 * them: then a viewer would reach what the map does not offer.
 */
function climbsOut(rest: string): boolean {
  const [path = ''] = rest.split('?', 1);
  const decoded = path.replace(/%2e/gi, '.').replace(/%2f|%5c|\\/gi, '/');
  let depth = 0;
  for (const segment of decoded.split('/').slice(1)) {
    if (segment === '..') depth--;
    else if (segment !== '.' && segment !== '') depth++;
    if (depth < 0) return true;
  }
  return false;
}

function shown(target: string): string {
  return target.length > 200 ? `${target.slice(0, 200)}…` : target;
}
