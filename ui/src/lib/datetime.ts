function format(timestamp: string, locale: string, options: Intl.DateTimeFormatOptions): string {
  const date = new Date(timestamp);
  if (Number.isNaN(date.getTime())) return timestamp;
  return new Intl.DateTimeFormat(locale, options).format(date);
}

/** Day and time for people; an unreadable timestamp is shown as it came. */
export function formatDateTime(timestamp: string, locale: string): string {
  return format(timestamp, locale, { dateStyle: 'medium', timeStyle: 'medium' });
}

/** The time of day with milliseconds. */
export function formatPreciseTime(timestamp: string, locale: string): string {
  return format(timestamp, locale, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
  });
}

const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;

/** A length of time in its largest fitting unit: `12.3 ms`, `4.2 s`, `3 min`. */
export function formatDuration(milliseconds: number, locale: string): string {
  const seconds = milliseconds / 1000;
  if (milliseconds < 1000) return inUnit(milliseconds, 'millisecond', locale, 1);
  if (seconds < MINUTE_S) return inUnit(seconds, 'second', locale, 1);
  if (seconds < HOUR_S) return inUnit(seconds / MINUTE_S, 'minute', locale, 0);
  if (seconds < DAY_S) return inUnit(seconds / HOUR_S, 'hour', locale, 1);
  return inUnit(seconds / DAY_S, 'day', locale, 1);
}

function inUnit(
  value: number,
  unit: string,
  locale: string,
  maximumFractionDigits: number,
): string {
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit,
    unitDisplay: 'short',
    maximumFractionDigits,
  }).format(value);
}

/** A count or a rate, grouped. */
export function formatNumber(value: number, locale: string, maximumFractionDigits = 0): string {
  return new Intl.NumberFormat(locale, { maximumFractionDigits }).format(value);
}
