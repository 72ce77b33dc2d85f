import type { QueryClient } from '@tanstack/react-query';
import { fetchOrders, isSettled, type Order, type Owner } from './orderApi';
import { flattenOrders, mergeNewest, updateOrders, type OrderPages } from './orderPages';

const ORDERS = 'orders';
const ORDER = 'order';

/** The mutation that places an order. */
export const PLACE_ORDER = ['place-order'] as const;

export const listKey = (owner: Owner) => [ORDERS, owner, 'list'] as const;
export const watchKey = (owner: Owner, ids: readonly string[], live: boolean) =>
  [ORDERS, owner, 'watch', ids, live] as const;
export const orderKey = (id: string) => [ORDER, id] as const;
export const timelineKey = (id: string) => [ORDER, id, 'timeline'] as const;

export function patchList(
  client: QueryClient,
  owner: Owner,
  change: (pages: OrderPages) => OrderPages,
): void {
  client.setQueryData<OrderPages>(listKey(owner), (pages) => (pages ? change(pages) : pages));
}

/** What is known of an order wherever it is shown. */
export function findOrder(client: QueryClient, id: string): Order | null {
  const single = client.getQueryData<Order>(orderKey(id));
  if (single) return single;
  for (const { pages } of loadedLists(client)) {
    const found = flattenOrders(pages).find((order) => order.id === id);
    if (found) return found;
  }
  return null;
}

/**
 * Brings a status that was told of into everything that shows the order. False when a listing may have to
 * be read for it, as the order is not there yet.
 */
export function adoptStatus(
  client: QueryClient,
  change: Pick<Order, 'id' | 'userId' | 'status' | 'reason'>,
): boolean {
  const { id, status, reason } = change;
  const told = (order: Order): Order =>
    isSettled(order) || order.status === status ? order : { ...order, status, reason };
  client.setQueryData<Order>(orderKey(id), (order) => (order ? told(order) : order));
  let complete = true;
  for (const { owner, pages } of loadedLists(client)) {
    if (owner !== null && owner !== change.userId) continue;
    const known = flattenOrders(pages).find((order) => order.id === id);
    if (known) patchList(client, owner, (current) => updateOrders(current, [told(known)]));
    else complete = false;
  }
  return complete;
}

/** Brings new orders into every listing on the screen; the pages loaded before stay. */
export async function readNewest(client: QueryClient): Promise<void> {
  const shown = loadedLists(client, 'active');
  await Promise.all(
    shown.map(async ({ owner }) => {
      const newest = await client.query({
        queryKey: [ORDERS, owner, 'newest'],
        queryFn: ({ signal }) => fetchOrders(owner, null, signal),
        staleTime: 0,
        gcTime: 0,
      });
      patchList(client, owner, (pages) => mergeNewest(pages, newest));
    }),
  );
}

interface LoadedList {
  owner: Owner;
  pages: OrderPages;
}

function loadedLists(client: QueryClient, type: 'all' | 'active' = 'all'): LoadedList[] {
  return client
    .getQueryCache()
    .findAll({ queryKey: [ORDERS], type })
    .flatMap(({ queryKey, state }) => {
      const [, owner, what] = queryKey as ReturnType<typeof listKey>;
      const pages = state.data as OrderPages | undefined;
      return (what as string) === 'list' && pages !== undefined ? [{ owner, pages }] : [];
    });
}
