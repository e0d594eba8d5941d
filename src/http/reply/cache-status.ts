import type { CacheStatus } from '../../cache/types.ts';

/** Our member of Cache-Status (RFC 9211 section 2): `eddy; hit; ttl=30; detail=ram`. */
export function cacheStatusMember(status: CacheStatus): string {
  let member = 'eddy';
  if (status.hit) member += '; hit';
  // Section 2.2: fwd says why a request went forward, which a hit did not.
  else if (status.fwd !== undefined) member += `; fwd=${status.fwd}`;
  if (!status.hit && status.fwdStatus !== undefined) member += `; fwd-status=${status.fwdStatus}`;
  if (status.ttlSeconds !== undefined) member += `; ttl=${Math.trunc(status.ttlSeconds)}`;
  if (status.stored === true) member += '; stored';
  if (status.collapsed === true) member += '; collapsed';
  if (status.detail !== undefined) member += `; detail=${status.detail}`;
  return member;
}
