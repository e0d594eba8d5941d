import type { Fields } from '../../fields.ts';
import { selectVariant } from '../rules/vary.ts';
import type { Representation } from './representation.ts';

/** The one of the stored responses of a key that may answer a request with these fields (RFC 9111 section 4.1). */
export function select(variants: readonly Representation[], fields: Fields): Representation | undefined {
  const [first] = variants;
  if (variants.length < 2) return first?.matches(fields) === true ? first : undefined;
  const stored = selectVariant(
    variants.map((each) => each.stored),
    fields,
  );
  return variants.find((each) => each.stored === stored);
}
