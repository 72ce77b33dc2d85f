import type { Schemas } from '../../api/operations';
import {
  asArray,
  asObject,
  booleanField,
  numberField,
  optionalStringField,
  stringField,
  type Unverified,
} from '../../lib/decode';

/** The steps of a paid or refused order, in the order in which they happen. */
const PAID = [
  'accepted',
  'task_published',
  'task_received',
  'paid',
  'outcome_published',
  'outcome_received',
  'finished',
] as const;

const REFUSED = PAID.map((step) =>
  step === 'paid' ? 'refused' : step === 'finished' ? 'cancelled' : step,
);

export interface TimelineStep {
  /** One of the names above; an unknown one is shown as it is. */
  step: string;
  at: string;
  /** Since `accepted`. */
  elapsedMs: number;
}

export interface Timeline {
  traceId: string | null;
  complete: boolean;
  steps: TimelineStep[];
}

export function decodeTimeline(body: Unverified<Schemas['Timeline']>): Timeline {
  const source = asObject(body, 'timeline');
  return {
    traceId: optionalStringField(source, 'trace_id'),
    complete: booleanField(source, 'complete'),
    steps: asArray(source.steps, 'steps').map((item) => {
      const step = asObject(item, 'step');
      return {
        step: stringField(step, 'step'),
        at: stringField(step, 'at'),
        elapsedMs: numberField(step, 'elapsed_ms'),
      };
    }),
  };
}

export interface TimelineRow {
  step: string;
  /** Null for a step that is still to come. */
  at: string | null;
  elapsedMs: number | null;
  /** Since the step before. */
  tookMs: number | null;
  /** Where the time since the step before lies in the whole, in percent. */
  bar: { startPercent: number; widthPercent: number } | null;
  /** It is being waited for right now. */
  next: boolean;
}

/** A bar of no width could not be seen. */
const THINNEST_PERCENT = 0.8;

/**
 * The steps that have happened, with the time each took, and those still to come. Clocks of two hosts
 * can differ: a step that seems to be before the one ahead of it took no time.
 */
export function timelineRows({ steps, complete }: Timeline): TimelineRow[] {
  const total = Math.max(0, ...steps.map((step) => step.elapsedMs));
  let before = 0;
  const happened = steps.map(({ step, at, elapsedMs }, index): TimelineRow => {
    const start = before;
    const tookMs = Math.max(0, elapsedMs - before);
    before = Math.max(before, elapsedMs);
    if (index === 0) return { step, at, elapsedMs, tookMs: null, bar: null, next: false };
    return { step, at, elapsedMs, tookMs, bar: barOf(start, tookMs, total), next: false };
  });
  if (complete) return happened;
  const known = new Set(steps.map(({ step }) => step));
  const path: readonly string[] = known.has('refused') ? REFUSED : PAID;
  // Events can overtake the order's own steps; only what comes after the last known one is to come.
  const reached = Math.max(-1, ...path.map((step, index) => (known.has(step) ? index : -1)));
  const toCome = path.slice(reached + 1).map((step, index): TimelineRow => {
    return { step, at: null, elapsedMs: null, tookMs: null, bar: null, next: index === 0 };
  });
  return [...happened, ...toCome];
}

function barOf(startMs: number, tookMs: number, totalMs: number): TimelineRow['bar'] {
  if (totalMs <= 0) return null;
  const widthPercent = Math.min(100, Math.max(THINNEST_PERCENT, (tookMs / totalMs) * 100));
  return { startPercent: Math.min((startMs / totalMs) * 100, 100 - widthPercent), widthPercent };
}

/** From `accepted` to the last step known; null before there is more than one. */
export function totalMs({ steps }: Timeline): number | null {
  return steps.length < 2 ? null : Math.max(...steps.map((step) => step.elapsedMs));
}
