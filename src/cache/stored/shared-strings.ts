import { Fields } from '../../fields.ts';
import { Recent } from '../recent.ts';
import type { StoredResponse } from '../types.ts';

const stringsMax = 2048;
/** Longer values are as good as never the same. */
const lengthMax = 64;
const strings = new Recent<string, string>(stringsMax);

/** The same with names and values that other stored responses have too, each held once: most have little of their own. */
export function sharingStrings(stored: StoredResponse): StoredResponse {
  return { ...stored, fields: new Fields(stored.fields.raw.map(shared)) };
}

function shared(text: string): string {
  return text.length > lengthMax ? text : strings.getOrMake(text, (same) => same);
}

/** The same text in memory of its own: what was cut out of a request's head keeps all of that. */
export function ownString(text: string): string {
  return Buffer.from(text).toString();
}
