import { type BareItem, type Item, parseDictionary, serializeList, Token } from 'structured-headers';

/** A member of a Dictionary or List (RFC 9651): an item, or an inner list of items, each with parameters. */
export interface Member {
  readonly value: Bare | readonly { readonly value: Bare; readonly parameters: ReadonlyMap<string, Bare> }[];
}

/** A bare item. What has no use here (dates, bytes) is undefined. */
export type Bare = number | string | boolean | { readonly token: string } | undefined;

/** The members of a Structured Field of type Dictionary (RFC 9651 section 3.2); undefined where it is none. */
export function dictionaryOf(value: string): ReadonlyMap<string, Member> | undefined {
  try {
    const entries = [...parseDictionary(value)].map(([name, [inner]]) => [name, memberOf(inner)] as const);
    return new Map(entries);
  } catch {
    return undefined;
  }
}

/** A List with one String that has parameters, as a member to append. Throws where a value cannot be sent. */
export function listMember(text: string, parameters: ReadonlyMap<string, number | boolean>): string {
  return serializeList([[text, new Map(parameters)]]);
}

function memberOf(inner: Item[] | BareItem): Member {
  if (!Array.isArray(inner)) return { value: bareOf(inner) };
  const items = inner.map(([value, parameters]) => ({
    value: bareOf(value),
    parameters: new Map([...parameters].map(([name, each]) => [name, bareOf(each)])),
  }));
  return { value: items };
}

function bareOf(value: BareItem): Bare {
  if (value instanceof Token) return { token: value.toString() };
  return typeof value === 'object' ? undefined : value;
}
