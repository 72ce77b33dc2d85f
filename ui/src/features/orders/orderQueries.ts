import {
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
  type QueryClient,
} from '@tanstack/react-query';
import { useState } from 'react';
import { isOutage } from '../../lib/apiError';
import { SubmissionKey } from '../../lib/idempotencyKey';
import type { UserId } from '../../lib/userId';
import {
  fetchOrder,
  fetchOrders,
  isSettled,
  placeOrder,
  type NewOrder,
  type Order,
} from './orderApi';
import { addOrder, mergeNewest, updateOrders, type OrderPages } from './orderPages';
import { pollDelay } from './pollDelay';

/** Orders off the first page are looked up one by one, this many in a round. */
const SINGLE_LOOKUPS = 8;

/** Whose orders: one user's, or everyone's when null. */
type Owner = UserId | null;

const listKey = (owner: Owner) => ['orders', owner, 'list'] as const;
const watchKey = (owner: Owner, ids: readonly string[]) => ['orders', owner, 'watch', ids] as const;

export function useOrders(owner: Owner) {
  return useInfiniteQuery({
    queryKey: listKey(owner),
    queryFn: ({ pageParam, signal }) => fetchOrders(owner, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
}

/**
 * Looks at unsettled orders until they settle, quickly at first and then less often. The set of orders
 * looked at is part of the query's key, so each one that settles or arrives makes it quick again, and
 * an empty set ends it.
 */
export function useOrderWatch(owner: Owner, orders: readonly Order[]): { watching: boolean } {
  const client = useQueryClient();
  const unsettled = orders.filter((order) => !isSettled(order)).map((order) => order.id);
  const watching = unsettled.length > 0;
  useQuery({
    queryKey: watchKey(owner, unsettled),
    queryFn: async ({ signal }) => {
      const newest = await fetchOrders(owner, null, signal);
      const covered = new Set(newest.items.map((order) => order.id));
      const others = unsettled.filter((id) => !covered.has(id)).slice(0, SINGLE_LOOKUPS);
      const singles = await Promise.all(others.map((id) => fetchOrder(id, signal)));
      patchPages(client, owner, (pages) => updateOrders(mergeNewest(pages, newest), singles));
      return unsettled.length;
    },
    enabled: watching,
    staleTime: 0,
    gcTime: 0,
    refetchInterval: (query) => pollDelay(query.state.dataUpdateCount),
  });
  return { watching };
}

export function usePlaceOrder(userId: UserId) {
  const client = useQueryClient();
  const [submission] = useState(() => new SubmissionKey());
  return useMutation({
    mutationFn: (order: NewOrder) =>
      placeOrder(
        userId,
        order,
        submission.keyFor(JSON.stringify([order.amount, order.description])),
      ),
    onSuccess: async (order) => {
      submission.succeeded();
      // A listing read before the order was placed must not arrive after it and hide it.
      await client.cancelQueries({ queryKey: listKey(userId) });
      patchPages(client, userId, (pages) => addOrder(pages, order));
      if (client.getQueryData(listKey(userId)) === undefined) {
        void client.invalidateQueries({ queryKey: listKey(userId) });
      }
    },
    onError: (error) => {
      submission.failed(error);
      if (isOutage(error)) void client.invalidateQueries({ queryKey: listKey(userId) });
    },
  });
}

function patchPages(
  client: QueryClient,
  owner: Owner,
  change: (pages: OrderPages) => OrderPages,
): void {
  client.setQueryData<OrderPages>(listKey(owner), (pages) => (pages ? change(pages) : pages));
}
