/** What a counter stood at, and when it was read. */
export interface Reading {
  count: number;
  atMs: number;
}

/** Readings further apart in time than this say nothing about now. */
const WINDOW_MS = 10_000;

/** Adds a reading; what is older than the window goes, and all of it when the counter began anew. */
export function addReading(readings: readonly Reading[], reading: Reading): Reading[] {
  const last = readings.at(-1);
  if (last !== undefined && (reading.count < last.count || reading.atMs <= last.atMs)) {
    return reading.count < last.count ? [reading] : [...readings];
  }
  const recent = readings.filter(({ atMs }) => reading.atMs - atMs <= WINDOW_MS);
  return [...recent, reading];
}

/** How much was counted per second over the window; null from a single reading. */
export function ratePerSecond(readings: readonly Reading[]): number | null {
  const first = readings[0];
  const last = readings.at(-1);
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return null;
  return ((last.count - first.count) * 1000) / (last.atMs - first.atMs);
}
