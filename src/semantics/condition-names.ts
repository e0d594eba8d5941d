/**
 * Fields by which a request wants a part (RFC 9110 section 14.2), or something only under a condition (section 13.1). Who
 * asks on behalf of others leaves them out, or says its own.
 */
export const conditionNames: readonly string[] = [
  ...['range', 'if-range', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'],
];
