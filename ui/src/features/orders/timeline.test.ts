import { describe, expect, it } from 'vitest';
import { timelineRows, totalMs, type Timeline } from './timeline';

function timeline(complete: boolean, ...steps: [string, number][]): Timeline {
  return {
    traceId: null,
    complete,
    steps: steps.map(([step, elapsedMs]) => ({ step, at: `at ${elapsedMs}`, elapsedMs })),
  };
}

describe('an order’s timeline', () => {
  it('tells how long each step took and where it lies in the whole', () => {
    const rows = timelineRows(
      timeline(true, ['accepted', 0], ['task_published', 10], ['paid', 30], ['finished', 40]),
    );
    expect(rows.map(({ tookMs }) => tookMs)).toEqual([null, 10, 20, 10]);
    expect(rows.map(({ bar }) => bar)).toEqual([
      null,
      { startPercent: 0, widthPercent: 25 },
      { startPercent: 25, widthPercent: 50 },
      { startPercent: 75, widthPercent: 25 },
    ]);
  });

  it('names what is still to come, and what is waited for', () => {
    const rows = timelineRows(timeline(false, ['accepted', 0], ['task_published', 5]));
    expect(rows.map(({ step }) => step)).toEqual([
      'accepted',
      'task_published',
      'task_received',
      'paid',
      'outcome_published',
      'outcome_received',
      'finished',
    ]);
    expect(rows.filter(({ next }) => next).map(({ step }) => step)).toEqual(['task_received']);
  });

  it('ends in the cancellation once the payment is refused', () => {
    const rows = timelineRows(timeline(false, ['accepted', 0], ['refused', 5]));
    expect(rows.at(-1)?.step).toBe('cancelled');
  });

  it('takes no time for a step whose host’s clock is behind', () => {
    const rows = timelineRows(timeline(true, ['accepted', 0], ['paid', 12], ['finished', 11]));
    expect(rows.map(({ tookMs }) => tookMs)).toEqual([null, 12, 0]);
    for (const { bar } of rows) {
      if (bar) expect(bar.startPercent + bar.widthPercent).toBeLessThanOrEqual(100);
    }
  });

  it('has no length before a second step', () => {
    expect(totalMs(timeline(false, ['accepted', 0]))).toBeNull();
    expect(totalMs(timeline(true, ['accepted', 0], ['finished', 42.5]))).toBe(42.5);
  });
});
