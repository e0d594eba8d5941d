/**
 * Members of a comma-separated list, each as it stands (RFC 9110 section 5.6.1). Commas in quoted strings do not
 * separate; a quote that is never closed is no quote, so that nothing can hide behind it.
 */
export function splitList(value: string): string[] {
  if (!value.includes('"')) return value.split(',');
  const members: string[] = [];
  let start = 0;
  let quotes = true;
  for (let at = 0; at < value.length; at++) {
    if (value[at] === ',') {
      members.push(value.slice(start, at));
      start = at + 1;
    } else if (quotes && value[at] === '"') {
      const end = closingQuote(value, at);
      if (end === undefined) quotes = false;
      else at = end;
    }
  }
  members.push(value.slice(start));
  return members;
}

function closingQuote(value: string, open: number): number | undefined {
  for (let at = open + 1; at < value.length; at++) {
    if (value[at] === '\\') at++;
    else if (value[at] === '"') return at;
  }
  return undefined;
}
