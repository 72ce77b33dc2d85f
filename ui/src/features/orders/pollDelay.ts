const FAST_MS = 300;
const FAST_POLLS = 10;
const SLOWEST_MS = 4000;
const GROWTH = 1.5;

/** How long to wait before the next look, after `polls` looks in a row that settled nothing. */
export function pollDelay(polls: number): number {
  const slowed = Math.max(0, polls - FAST_POLLS);
  return Math.min(SLOWEST_MS, Math.round(FAST_MS * GROWTH ** slowed));
}
