/**
 * Why a cache went on with a request (RFC 9211 section 2.2), the most specific one that is known. `miss`: nothing that is
 * stored could be used, or what is stored could not be looked up, so it is no `uri-miss` for certain. Where several
 * hold, the first that the request met: what was stale and has gaps went on because it was stale.
 */
export type ForwardReason = 'method' | 'vary-miss' | 'miss' | 'request' | 'stale' | 'partial';
