const secondsMax = 100 * 365 * 86_400;
const durationForm = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;
const dateTimeForm = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?$/;

/** Seconds of an xs:duration; undefined for none, a negative one and one beyond 100 years. A year has 365 days, a month 30. */
export function durationSeconds(text: string | undefined): number | undefined {
  const parts = text === undefined || text.length > 64 ? undefined : durationForm.exec(text.trim());
  if (parts === undefined || parts === null) return undefined;
  const [years = 0, months = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = parts
    .slice(1)
    .map((part) => Number(part ?? 0));
  const total = ((years * 365 + months * 30 + days) * 24 + hours) * 3_600 + minutes * 60 + seconds;
  return total <= secondsMax ? total : undefined;
}

/** Epoch milliseconds of an xs:dateTime; without a time zone it is UTC (DASH-IF IOP). */
export function dateTimeMs(text: string | undefined): number | undefined {
  const found = text === undefined || text.length > 64 ? undefined : dateTimeForm.exec(text.trim());
  if (found === undefined || found === null) return undefined;
  const ms = Date.parse(found[1] === undefined ? `${found[0]}Z` : found[0]);
  return Number.isFinite(ms) ? ms : undefined;
}
