/** Status codes that may get a heuristic freshness lifetime (RFC 9110 section 15.1). */
const heuristicallyCacheable: ReadonlySet<number> = new Set([
  200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501,
]);

/** Status codes whose caching requirements are known and met here, for must-understand (RFC 9111 section 5.2.2.3). */
const understood: ReadonlySet<number> = new Set([
  ...[200, 203, 204, 206, 300, 301, 302, 303, 307, 308],
  ...[400, 401, 403, 404, 405, 406, 410, 414, 451, 500, 501, 502, 503, 504],
]);

export function isHeuristicallyCacheable(status: number): boolean {
  return heuristicallyCacheable.has(status);
}

export function isUnderstood(status: number): boolean {
  return understood.has(status);
}
