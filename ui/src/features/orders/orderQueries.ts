import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { isOutage } from '../../lib/apiError';
import { randomUuid, SubmissionKey } from '../../lib/idempotencyKey';
import type { UserId } from '../../lib/userId';
import { useLiveState } from '../live/useLive';
import {
  fetchOrder,
  fetchOrders,
  isSettled,
  PLACING,
  placeOrder,
  type NewOrder,
  type Order,
  type Owner,
} from './orderApi';
import { listKey, orderKey, patchList, PLACE_ORDER, watchKey } from './orderCache';
import { addOrder, mergeNewest, settlePlacing, updateOrders, type OrderPages } from './orderPages';
import { pollDelay } from './pollDelay';

/** Orders off the first page are looked up one by one, this many in a round. */
const SINGLE_LOOKUPS = 8;
/** Without a live connection, orders placed elsewhere show up after this long. */
const UNTOLD_POLL_MS = 5000;
/** With one, events tell; this is for one that got lost against all promises. */
const TOLD_POLL_MS = 10_000;

export function useOrders(owner: Owner) {
  return useInfiniteQuery({
    queryKey: listKey(owner),
    queryFn: ({ pageParam, signal }) => fetchOrders(owner, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
}

/**
 * Keeps a listing up to date. While events arrive they do, and there is hardly anything to look at.
 * Otherwise unsettled orders are looked at until they settle, quickly at first and then less often: the
 * set of orders looked at is part of the query's key, so each one that settles or arrives makes it quick
 * again.
 */
export function useOrderWatch(owner: Owner, orders: readonly Order[]): { watching: boolean } {
  const client = useQueryClient();
  const live = useLiveState() === 'live';
  const unsettled = orders
    .filter((order) => !isSettled(order) && order.status !== PLACING)
    .map((order) => order.id);
  const watching = unsettled.length > 0;
  const delay = (polls: number) => {
    if (live) return TOLD_POLL_MS;
    return watching ? pollDelay(polls) : UNTOLD_POLL_MS;
  };
  useQuery({
    queryKey: watchKey(owner, unsettled, live),
    queryFn: async ({ signal }) => {
      const newest = await fetchOrders(owner, null, signal);
      const covered = new Set(newest.items.map((order) => order.id));
      const others = unsettled.filter((id) => !covered.has(id)).slice(0, SINGLE_LOOKUPS);
      const singles = await Promise.all(others.map((id) => fetchOrder(id, signal)));
      patchList(client, owner, (pages) => updateOrders(mergeNewest(pages, newest), singles));
      return unsettled.length;
    },
    enabled: watching || !live,
    // The first look is after a pause: what is watched has just been read.
    initialData: 0,
    staleTime: Infinity,
    gcTime: 0,
    refetchInterval: (query) => delay(query.state.dataUpdateCount),
  });
  return { watching };
}

export function useOrder(id: string) {
  const live = useLiveState() === 'live';
  return useQuery({
    queryKey: orderKey(id),
    queryFn: ({ signal }) => fetchOrder(id, signal),
    refetchInterval: ({ state }) => {
      if (state.data === undefined || isSettled(state.data)) return false;
      return live ? TOLD_POLL_MS : pollDelay(state.dataUpdateCount);
    },
  });
}

/** Shows the order at once, and takes it away again when the shop refuses it. */
export function usePlaceOrder(userId: UserId) {
  const client = useQueryClient();
  const [submission] = useState(() => new SubmissionKey());
  return useMutation({
    mutationKey: PLACE_ORDER,
    mutationFn: (order: NewOrder) =>
      placeOrder(
        userId,
        order,
        submission.keyFor(JSON.stringify([order.amount, order.description])),
      ),
    onMutate: async (order) => {
      // A listing read before the order was placed must not arrive after it and hide it.
      await client.cancelQueries({ queryKey: listKey(userId) });
      const placingId = `placing-${randomUuid()}`;
      patchList(client, userId, (pages) =>
        addOrder(pages, {
          id: placingId,
          userId,
          amount: order.amount,
          description: order.description === '' ? null : order.description,
          status: PLACING,
          reason: null,
          createdAt: new Date().toISOString(),
        }),
      );
      return { placingId };
    },
    onSuccess: async (order, _variables, { placingId }) => {
      submission.succeeded();
      await client.cancelQueries({ queryKey: listKey(userId) });
      patchList(client, userId, (pages) => settlePlacing(pages, placingId, order));
      if (client.getQueryData<OrderPages>(listKey(userId)) === undefined) {
        void client.invalidateQueries({ queryKey: listKey(userId) });
      }
    },
    onError: (error, _variables, context) => {
      submission.failed(error);
      const placingId = context?.placingId;
      if (placingId !== undefined) {
        patchList(client, userId, (pages) => settlePlacing(pages, placingId, null));
      }
      if (isOutage(error)) void client.invalidateQueries({ queryKey: listKey(userId) });
    },
  });
}
