/** Field names of one hop only (RFC 9110 sections 7.6.1, 11.7, 6.6.2), lower case. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * The end-to-end fields of a message: without those of one hop and those that Connection names.
 * @param raw name, value, name, value
 * @param dropped further names to leave out, lower case
 */
export function endToEnd(raw: readonly string[], dropped: ReadonlySet<string> = new Set()): string[] {
  const named = connectionOptions(raw);
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string;
    const lower = name.toLowerCase();
    if (!hopByHop.has(lower) && !named.has(lower) && !dropped.has(lower)) kept.push(name, raw[i + 1] as string);
  }
  return kept;
}

export function isHopByHop(name: string): boolean {
  return hopByHop.has(name.toLowerCase());
}

function connectionOptions(raw: readonly string[]): Set<string> {
  const options = new Set<string>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if ((raw[i] as string).toLowerCase() !== 'connection') continue;
    for (const option of (raw[i + 1] as string).split(',')) options.add(option.trim().toLowerCase());
  }
  return options;
}
