import { secretsInText } from './secret-parameters.ts';

/** In place of a secret. */
const mark = '[redacted]';

const secretNames =
  /^(?:authorization|proxy-authorization|cookie|set-cookie|x-api-key|headers?|fieldsAdded|.*(?:token|secret|password|credential|cellkey|privatekey))$/i;

const userInformation = /(\/\/)[^/\s@"']+@/g;
const bearer = /\b(Bearer|Basic)\s+[\w.~+/=-]+/gi;

const depthMax = 6;
const itemsMax = 100;
const textMax = 4_096;

/**
 * A copy for the log: members with secret names and the secret parts of URLs replaced, errors as plain objects, and
 * bounded in depth, length and breadth.
 */
export function redacted(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactedText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > depthMax) return '[deeper]';
  if (value instanceof Error) return redactedError(value, depth);
  if (value instanceof Date || value instanceof URL) return redactedText(value.toJSON());
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, itemsMax).map((each) => redacted(each, depth + 1));
  const members = Object.entries(value).slice(0, itemsMax);
  return Object.fromEntries(
    members.map(([name, member]) => [name, hides(name, member) ? mark : redacted(member, depth + 1)]),
  );
}

function redactedText(text: string): string {
  const cut = text.length > textMax ? `${text.slice(0, textMax)}…` : text;
  return cut.replace(secretsInText, `$1${mark}`).replace(userInformation, `$1${mark}@`).replace(bearer, `$1 ${mark}`);
}

/** Numbers and booleans under such a name are counts and switches. */
function hides(name: string, member: unknown): boolean {
  return secretNames.test(name) && (typeof member === 'string' || typeof member === 'object');
}

function redactedError(error: Error, depth: number): object {
  const { name, message, stack, cause } = error;
  const { code, side } = error as { code?: unknown; side?: unknown };
  return {
    type: name,
    message: redactedText(message),
    ...(code !== undefined && { code: String(code) }),
    ...(side !== undefined && { side: String(side) }),
    ...(stack !== undefined && { stack: redactedText(stack) }),
    ...(cause !== undefined && { cause: redacted(cause, depth + 1) }),
  };
}
