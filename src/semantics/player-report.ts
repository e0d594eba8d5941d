import type { Fields } from '../fields.ts';

/** Whether a player says something of itself in a request (CMCD, CTA-5004), as cheaply as it can be told. */
export function hasPlayerReport({ target, fields }: { readonly target: string; readonly fields: Fields }): boolean {
  return fields.isReporting || (target.includes('?') && target.includes('CMCD='));
}
