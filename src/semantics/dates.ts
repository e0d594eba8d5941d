import type { Fields } from '../fields.ts';

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

// RFC 9111 section 4.2 asks caches to match dates without regard to case, and to take no zone but GMT.
const fixdate = /^(?:mon|tue|wed|thu|fri|sat|sun), (\d\d) ([a-z]{3}) (\d{4}) (\d\d):(\d\d):(\d\d) gmt$/i;
const rfc850 = /^(?:mon|tues|wednes|thurs|fri|satur|sun)day, (\d\d)-([a-z]{3})-(\d\d) (\d\d):(\d\d):(\d\d) gmt$/i;
const asctime = /^(?:mon|tue|wed|thu|fri|sat|sun) ([a-z]{3}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/i;

/**
 * Milliseconds since the epoch of an HTTP-date in any of its three forms (RFC 9110 section 5.6.7); undefined if
 * absent or invalid. The name of the day is not compared with the date. `nowMs` settles two-digit years.
 */
export function parseHttpDate(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined || value.length > 40) return undefined;
  const modern = fixdate.exec(value);
  if (modern !== null) {
    const [, day, month, year, hour, minute, second] = modern;
    return instant({ year: Number(year), month, day }, { hour, minute, second });
  }
  const obsolete = rfc850.exec(value);
  if (obsolete !== null) {
    const [, day, month, year, hour, minute, second] = obsolete;
    return instant({ year: fullYear(Number(year), nowMs), month, day }, { hour, minute, second });
  }
  const unix = asctime.exec(value);
  if (unix === null) return undefined;
  const [, month, day, hour, minute, second, year] = unix;
  return instant({ year: Number(year), month, day }, { hour, minute, second });
}

/** IMF-fixdate, the only form that may be sent (RFC 9110 section 5.6.7). */
export function formatHttpDate(ms: number): string {
  return new Date(ms).toUTCString();
}

/** When the message was generated: its Date; the time it came where that is absent or invalid (section 6.6.1). */
export function dateMs({ fields, responseTimeMs }: { fields: Fields; responseTimeMs: number }): number {
  return parseHttpDate(fields.get('date'), responseTimeMs) ?? responseTimeMs;
}

/** The fields with a valid Date: their own, else the time the message came (section 6.6.1). */
export function dated(fields: Fields, responseTimeMs: number): Fields {
  if (parseHttpDate(fields.get('date'), responseTimeMs) !== undefined) return fields;
  return fields.with('Date', formatHttpDate(responseTimeMs));
}

type Digits = string | undefined;

function instant(
  date: { year: number; month: Digits; day: Digits },
  time: { hour: Digits; minute: Digits; second: Digits },
): number | undefined {
  const month = months.indexOf(date.month?.toLowerCase() ?? '');
  const [day, hour, minute, second] = [Number(date.day), Number(time.hour), Number(time.minute), Number(time.second)];
  if (month < 0 || hour > 23 || minute > 59 || second > 60) return undefined;
  const midnight = new Date(Date.UTC(2000, month, day)).setUTCFullYear(date.year, month, day);
  if (new Date(midnight).getUTCDate() !== day) return undefined;
  // A leap second is taken for the second before it: the nearest time that is not later.
  return midnight + ((hour * 60 + minute) * 60 + Math.min(second, 59)) * 1000;
}

/** A two-digit year that seems more than 50 years ahead is the most recent past one with those digits. */
function fullYear(twoDigits: number, nowMs: number): number {
  const now = new Date(nowMs).getUTCFullYear();
  const year = now - (now % 100) + twoDigits;
  return year > now + 50 ? year - 100 : year;
}
