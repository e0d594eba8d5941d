/** Members of a comma-separated list of tokens, in lower case; empty ones count for nothing (RFC 9110 section 5.6.1). */
export function tokensOf(value: string): string[] {
  return value
    .split(',')
    .map((member) => member.trim().toLowerCase())
    .filter((member) => member !== '');
}
