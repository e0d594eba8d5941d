/** Attributes of tags that hold a URI (RFC 8216bis section 4.4; interstitials: appendix D). */
const uriAttribute = /([:,] ?(?:URI|SERVER-URI|X-ASSET-URI|X-ASSET-LIST)=")([^"]*)"/g;

interface RewriteOptions {
  /** Absolute URL of the playlist at the origin. */
  readonly url: string;
  /** The target at the edge for an absolute URL; undefined where that is not mapped. */
  readonly toEdge: (url: string) => string | undefined;
}

/**
 * A playlist in latin1 with every URI that would miss the edge, or mean something else there, replaced by a path at the
 * edge: absolute ones, absolute paths, and those that climb. All other bytes stay as they are; the identical text where
 * nothing had to change.
 */
export function rewriteUris(text: string, options: RewriteOptions): string {
  const seen = new Map<string, string>();
  const rewrite = (uri: string): string => {
    if (!mayMiss(uri)) return uri;
    return seen.getOrInsertComputed(uri, () => atEdge(uri, options));
  };
  let changed = false;
  const lines = text.split('\n').map((line) => {
    const rewritten = rewriteLine(line, rewrite);
    if (rewritten !== line) changed = true;
    return rewritten;
  });
  return changed ? lines.join('\n') : text;
}

function rewriteLine(line: string, rewrite: (uri: string) => string): string {
  if (line.startsWith('#')) {
    if (!line.startsWith('#EXT') || !line.includes('="')) return line;
    return line.replaceAll(uriAttribute, (_, before: string, uri: string) => `${before}${rewrite(uri)}"`);
  }
  const uri = line.trim();
  if (uri === '') return line;
  const rewritten = rewrite(uri);
  return rewritten === uri ? line : line.replace(uri, () => rewritten);
}

/** A relative reference that goes down only means the same at the edge as at the origin. */
function mayMiss(uri: string): boolean {
  // What a variable stands for is known to the player only (RFC 8216bis section 4.3).
  if (uri.includes('{$')) return false;
  return uri.startsWith('/') || uri.includes('..') || /^[a-z][a-z0-9+.-]*:/i.test(uri);
}

function atEdge(uri: string, { url, toEdge }: RewriteOptions): string {
  const resolved = URL.parse(decoded(uri), url);
  if (resolved === null || !/^https?:$/.test(resolved.protocol)) return uri;
  const target = toEdge(resolved.href);
  const own = toEdge(url);
  if (target === undefined || own === undefined) return uri;
  const here = URL.parse(own, edge);
  if (here === null) return uri;
  const asIs = URL.parse(decoded(uri), here);
  if (asIs !== null && asIs.origin === here.origin && asIs.pathname + asIs.search === target) return uri;
  return target;
}

/** Any URL: only paths are compared. */
const edge = 'http://edge.invalid';

/** A URI of a playlist read as latin1: playlists are UTF-8 (section 4.1). */
export function decoded(uri: string): string {
  return Buffer.from(uri, 'latin1').toString('utf8');
}
