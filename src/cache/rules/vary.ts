import type { Fields } from '../../fields.ts';
import { tokensOf } from '../../semantics/token-list.ts';
import type { StoredResponse } from '../types.ts';
import { splitList } from './list.ts';

/** The selecting fields of a request for a response (RFC 9111 section 4.1); 'any' for `Vary: *`, which never matches. */
export function varyOf(response: Fields, request: Fields): StoredResponse['vary'] | 'any' {
  const names = varyNames(response);
  if (names.includes('*')) return 'any';
  return [...new Set(names)].sort().map((name) => [name, normalised(name, request.get(name))] as const);
}

/** Which requests one stored response may answer. It is asked about often: values that matched are not normalised again. */
export class Selecting {
  readonly #stored: StoredResponse;
  readonly #never: boolean;
  /** For each nominated field the value that matched last, null when its absence did. */
  readonly #matched: (string | null | undefined)[];

  constructor(stored: StoredResponse) {
    this.#stored = stored;
    // A freshened response may have got `*` since it was stored.
    this.#never = varyNames(stored.fields).includes('*');
    this.#matched = stored.vary.map(() => undefined);
  }

  /** Whether it may answer a request with these fields. */
  matches(request: Fields): boolean {
    if (this.#never) return false;
    const { vary } = this.#stored;
    for (let i = 0; i < vary.length; i++) {
      const [name, wanted] = vary[i] as readonly [string, string | null];
      const value = request.get(name);
      if (this.#matched[i] === (value ?? null)) continue;
      if (normalised(name, value) !== wanted) return false;
      this.#matched[i] = value ?? null;
    }
    return true;
  }
}

function varyNames(response: Fields): string[] {
  return tokensOf(response.get('vary') ?? '');
}

/** Lists whose order says nothing, since weights do (RFC 9110 section 12.5). */
const weighted: ReadonlySet<string> = new Set(['accept', 'accept-charset', 'accept-encoding', 'accept-language']);

/** A value that equals another's only if both mean the same; null when the field is absent. */
function normalised(name: string, value: string | undefined): string | null {
  if (value === undefined) return null;
  const members = splitList(value).map((member) => member.trim());
  if (!weighted.has(name)) return members.join(',');
  return [...new Set(members.filter((member) => member !== '').map((member) => weightedMember(name, member)))]
    .sort()
    .join(',');
}

/** One choice with its weight: names in lower case, a weight of 1 left out, others without trailing zeros. */
function weightedMember(name: string, member: string): string {
  const [choice = '', ...parameters] = member.split(';').map((part) => part.trim());
  const kept = parameters.map(parameterOf).filter((parameter) => parameter !== '');
  const lower = choice.toLowerCase();
  const coding = name === 'accept-encoding' ? lower.replace(/^x-(gzip|compress)$/, '$1') : lower;
  return [coding, ...kept].join(';');
}

function parameterOf(parameter: string): string {
  const weight = /^q\s*=\s*([01](?:\.\d{0,3})?)$/i.exec(parameter);
  if (weight === null) return parameter;
  return Number(weight[1]) === 1 ? '' : `q=${Number(weight[1])}`;
}
