import { QueryClientProvider } from '@tanstack/react-query';
import { renderHook } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createQueryClient } from '../../app/queryClient';
import type { UserId } from '../../lib/userId';
import { FakeGateway, ok, orderJson, pageJson, type Route } from '../../test/fakeGateway';
import { flattenOrders } from './orderPages';
import { useOrders, useOrderWatch } from './orderQueries';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function watch(routes: Record<string, Route>) {
  const gateway = new FakeGateway(routes);
  const client = createQueryClient();
  const { result } = renderHook(
    () => {
      const orders = flattenOrders(useOrders('1' as UserId).data);
      return { orders, ...useOrderWatch('1' as UserId, orders) };
    },
    {
      wrapper: ({ children }) => (
        <QueryClientProvider client={client}>{children}</QueryClientProvider>
      ),
    },
  );
  return { gateway, result };
}

it('looks often, then less often, and hardly at all at a settled status', async () => {
  let status = 'NEW';
  const { gateway, result } = watch({
    'GET /orders/user/1': () => ok(pageJson([orderJson({ id: 'o-1', status })])),
  });
  await vi.advanceTimersByTimeAsync(3000);
  expect(gateway.calls.length).toBeGreaterThan(8);
  await vi.advanceTimersByTimeAsync(60_000);
  const before = gateway.calls.length;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(gateway.calls.length - before).toBeLessThanOrEqual(6);
  expect(gateway.calls.length).toBeGreaterThan(before);

  status = 'FINISHED';
  await vi.advanceTimersByTimeAsync(5000);
  expect(result.current.watching).toBe(false);
  expect(result.current.orders[0]?.status).toBe('FINISHED');
  const settledCalls = gateway.calls.length;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(gateway.calls.length - settledCalls).toBeLessThanOrEqual(13);
});

it('looks now and then for new orders when everything is settled', async () => {
  const { gateway } = watch({
    'GET /orders/user/1': () => ok(pageJson([orderJson({ id: 'o-1', status: 'CANCELLED' })])),
  });
  await vi.advanceTimersByTimeAsync(20_000);
  expect(gateway.calls.length).toBeGreaterThanOrEqual(4);
  expect(gateway.calls.length).toBeLessThanOrEqual(6);
});

it('looks up an unsettled order that is off the first page by itself', async () => {
  let first = true;
  const { gateway, result } = watch({
    'GET /orders/user/1': () => {
      const items = [orderJson({ id: 'o-2', status: 'FINISHED' })];
      if (first) items.push(orderJson({ id: 'o-1', status: 'NEW' }));
      first = false;
      return ok(pageJson(items));
    },
    'GET /orders/o-1': () => ok(orderJson({ id: 'o-1', status: 'FINISHED' })),
  });
  await vi.advanceTimersByTimeAsync(5000);
  expect(result.current.watching).toBe(false);
  expect(gateway.callsTo('GET /orders/o-1')).toHaveLength(1);
});
