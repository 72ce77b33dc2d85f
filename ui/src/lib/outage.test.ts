import { expect, it, vi } from 'vitest';
import { ApiError } from './apiError';
import { OutageTracker } from './outage';

function failing(tracker: OutageTracker, error: unknown): Promise<unknown> {
  return tracker.observe('orders', Promise.reject(error as Error)).catch(() => undefined);
}

it('follows a service through an outage and back', async () => {
  const tracker = new OutageTracker();
  const listener = vi.fn();
  tracker.subscribe(listener);
  await failing(tracker, new ApiError('unavailable', { status: 503 }));
  expect(tracker.current()).toEqual({ kind: 'service', services: ['orders'] });
  await failing(tracker, new ApiError('network'));
  expect(tracker.current()).toEqual({ kind: 'network' });
  await tracker.observe('account', Promise.resolve(1));
  expect(tracker.current()).toEqual({ kind: 'network' });
  await tracker.observe('orders', Promise.resolve(1));
  expect(tracker.current()).toBeNull();
  expect(listener).toHaveBeenCalledTimes(3);
});

it('takes a refusal for an answer, and a cancelled call for nothing', async () => {
  const tracker = new OutageTracker();
  await failing(tracker, new ApiError('network'));
  await failing(tracker, new DOMException('gone', 'AbortError'));
  expect(tracker.current()).toEqual({ kind: 'network' });
  await failing(tracker, new ApiError('rejected', { status: 404 }));
  expect(tracker.current()).toBeNull();
});
