import type { IncomingMessage } from 'node:http';
import type { Purge } from '../../cache/types.ts';
import { type AdminReply, problem } from './admin-reply.ts';

const contentBytesMax = 64 * 1024;
const right =
  'must be {"url": "/path"}, {"prefix": "/path"}, {"tag": "name"} or {"all": true}, with one of these and nothing else';

/** Reads the content of a purge, or says what is wrong with it. Rejects when the client breaks off. */
export async function readPurge(request: IncomingMessage): Promise<{ which: Purge } | { problem: AdminReply }> {
  const content = await readContent(request);
  if (content === undefined) {
    return { problem: problem(413, `the content is too large: must be at most ${contentBytesMax} bytes`) };
  }
  const which = parsePurge(content.toString());
  return isPurge(which) ? { which } : { problem: problem(400, which.wrong) };
}

/** Why something is no purge. */
interface Wrong {
  readonly wrong: string;
}

/** What the content says. */
export function parsePurge(text: string): Purge | Wrong {
  const value = parseJson(text);
  return value === undefined ? { wrong: `the content is not JSON: ${right}` } : purgeOf(value);
}

/** The same of JSON that is parsed. */
export function purgeOf(value: unknown): Purge | Wrong {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { wrong: `the content is not an object: ${right}` };
  }
  const members = Object.entries(value as Record<string, unknown>);
  const [first] = members;
  if (first === undefined || members.length > 1)
    return { wrong: `the content has ${members.length} members: ${right}` };
  return parseMember(...first);
}

export function isPurge(read: Purge | Wrong): read is Purge {
  return read === 'all' || !('wrong' in read);
}

/** What `parsePurge` reads. */
export function purgeContent(which: Purge): string {
  return JSON.stringify(which === 'all' ? { all: true } : which);
}

function parseMember(name: string, value: unknown): Purge | Wrong {
  switch (name) {
    case 'all':
      return value === true ? 'all' : { wrong: `all is ${shown(value)}: must be true` };
    case 'url':
      return isLocation(value) ? { url: value } : { wrong: `url is ${shown(value)}: ${locationRight}` };
    case 'prefix':
      return isLocation(value) ? { prefix: value } : { wrong: `prefix is ${shown(value)}: ${locationRight}` };
    case 'tag':
      if (typeof value === 'string' && /^(?! )[^,\p{Cc}]{1,256}(?<! )$/u.test(value)) return { tag: value };
      return { wrong: `tag is ${shown(value)}: must be one tag, without commas, at most 256 characters` };
    default:
      return { wrong: `${shown(name)} is not a member: ${right}` };
  }
}

const locationRight =
  'must be a path that starts with / or an absolute http or https URL, at most 8192 characters, without spaces';

function isLocation(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 8_192 && /^(?:\/|https?:\/\/)[^\s\p{Cc}]*$/iu.test(value);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Undefined when there is more than may be. */
async function readContent(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > contentBytesMax) return undefined;
  const parts: Buffer[] = [];
  let length = 0;
  // Not destroyed at the bound: the answer is still to be sent on this connection.
  for await (const part of request.iterator({ destroyOnReturn: false })) {
    parts.push(part as Buffer);
    length += (part as Buffer).length;
    if (length > contentBytesMax) return undefined;
  }
  return Buffer.concat(parts);
}
