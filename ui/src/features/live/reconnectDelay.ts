const FIRST_MS = 500;
const SLOWEST_MS = 20_000;
/** Of a hint's time, so that a thousand clients sent away together do not come back together. */
const HINT_SPREAD = 0.5;

/** How long to wait after `failures` connections in a row that came to nothing. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const ceiling = Math.min(SLOWEST_MS, FIRST_MS * 2 ** Math.min(failures, 10));
  return Math.round(ceiling * (0.5 + random() / 2));
}

/** How long to wait when the gateway has said when to come back. */
export function hintedMs(afterMs: number, random: () => number = Math.random): number {
  return Math.round(Math.min(SLOWEST_MS, Math.max(0, afterMs)) * (1 + random() * HINT_SPREAD));
}
