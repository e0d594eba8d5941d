import type { Fields } from '../fields.ts';
import { edgeTarget } from '../semantics/edge-target.ts';
import type { OriginMap } from './origin-map.ts';

interface ReferenceOptions {
  /** URL that was asked, at the origin: made when it is asked for, since few answers refer to anything. */
  readonly asked: () => string;
  /** The target at the edge that it was asked for. */
  readonly target: string;
  readonly maps: readonly OriginMap[];
}

const referring = ['location', 'content-location'];

/**
 * The same fields, where Location and Content-Location (RFC 9110 sections 10.2.2 and 8.7) lead to what maps have through
 * the edge. What no map has stays as it is; a reference that is relative to the origin then becomes absolute.
 */
export function referencesAtEdge(fields: Fields, options: ReferenceOptions): Fields {
  let changed = fields;
  for (const name of referring) {
    if (!fields.has(name)) continue;
    const [reference = '', ...others] = fields.all(name);
    if (others.length === 0) changed = changed.withLine(name, atEdge(reference, options));
  }
  return changed;
}

function atEdge(reference: string, { asked, target, maps }: ReferenceOptions): string {
  const url = URL.parse(reference, asked());
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return reference;
  const isRelative = URL.parse(reference) === null && !reference.startsWith('//');
  const there = edgeTarget(url.href, maps.map(mappedPrefix));
  if (there === undefined) return isRelative ? url.href : reference;
  const here = isRelative ? URL.parse(reference, `http://edge${target}`) : null;
  if (here !== null && here.pathname + here.search === there) return reference;
  // A path that begins with two slashes would name a host.
  return (there.startsWith('//') ? `/.${there}` : there) + url.hash;
}

/** An origin is known by the Host it is sent too. */
function mappedPrefix({ prefix, upstreams, hostField }: OriginMap): { prefix: string; origins: readonly string[] } {
  const paths = hostField === undefined ? [] : upstreams.map((each) => URL.parse(each)?.pathname ?? '/');
  const others = paths.flatMap((path) => [`http://${hostField}${path}`, `https://${hostField}${path}`]);
  return { prefix, origins: [...upstreams, ...others] };
}
