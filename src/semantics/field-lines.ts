const fieldName = /^[!#$%&'*+\-.^_`|~\w]+$/;
/** Octets of what is not ASCII are read as Latin-1. */
const fieldValue = /^[\t -~\u0080-\u00ff]*$/;

/** Whether a flat list of names and values can be sent as field lines (RFC 9110 sections 5.1 and 5.5). */
export function areFieldLines(raw: readonly string[]): boolean {
  return raw.length % 2 === 0 && raw.every((part, i) => (i % 2 === 0 ? fieldName : fieldValue).test(part));
}
