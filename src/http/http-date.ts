const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const imfFixdate = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/;
const rfc850Date =
  /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/;
const asctimeDate = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/;

/** Milliseconds since the epoch of an HTTP-date in any of its three forms (RFC 9110 section 5.6.7); undefined if invalid. */
export function parseHttpDate(text: string): number | undefined {
  const fixdate = imfFixdate.exec(text);
  if (fixdate !== null) {
    const [, day, month, year, ...time] = fixdate;
    return instant([Number(year), month, Number(day)], time);
  }
  const obsolete = rfc850Date.exec(text);
  if (obsolete !== null) {
    const [, day, month, year, ...time] = obsolete;
    return instant([fullYear(Number(year)), month, Number(day)], time);
  }
  const asctime = asctimeDate.exec(text);
  if (asctime === null) return undefined;
  const [, month, day, hour, minute, second, year] = asctime;
  return instant([Number(year), month, Number(day)], [hour, minute, second]);
}

function instant(
  [year, monthName, day]: [number, string | undefined, number],
  time: readonly (string | undefined)[],
): number | undefined {
  const month = months.indexOf(monthName ?? '');
  const [hour = 99, minute = 99, second = 99] = time.map(Number);
  if (month < 0 || day < 1 || hour > 23 || minute > 59 || second > 60) return undefined;
  const ms = Date.UTC(year, month, day, hour, minute, second);
  return new Date(Date.UTC(year, month, day)).getUTCDate() === day ? ms : undefined;
}

/** A two-digit year more than 50 years ahead is the last one in the past with those digits. */
function fullYear(twoDigits: number): number {
  const now = new Date().getUTCFullYear();
  const year = now - (now % 100) + twoDigits;
  return year > now + 50 ? year - 100 : year;
}
