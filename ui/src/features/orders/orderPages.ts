import type { Page } from '../../lib/decode';
import { isSettled, type Order } from './orderApi';

type OrderPage = Page<Order>;

/** The loaded pages of a listing, newest order first, as the query cache keeps them. */
export interface OrderPages {
  pages: OrderPage[];
  pageParams: unknown[];
}

/** All loaded orders, each once: pages read at different moments can overlap. */
export function flattenOrders(pages: OrderPages | undefined): Order[] {
  const byId = new Map<string, Order>();
  for (const order of pages?.pages.flatMap((page) => page.items) ?? []) {
    const known = byId.get(order.id);
    byId.set(order.id, known ? newer(known, order) : order);
  }
  return [...byId.values()];
}

/** Answers can overtake each other; a settled order never goes back. */
function newer(known: Order, seen: Order): Order {
  return isSettled(known) && !isSettled(seen) ? known : seen;
}

/** Brings what a later read said about already loaded orders into their pages. */
export function updateOrders(pages: OrderPages, seen: readonly Order[]): OrderPages {
  const byId = new Map(seen.map((order) => [order.id, order]));
  return {
    ...pages,
    pages: pages.pages.map((page) => ({
      ...page,
      items: page.items.map((order) => {
        const update = byId.get(order.id);
        return update ? newer(order, update) : order;
      }),
    })),
  };
}

/** Adds an order that was just placed on top, unless it is there already. */
export function addOrder(pages: OrderPages, order: Order): OrderPages {
  const [first, ...rest] = pages.pages;
  if (!first) return { pages: [{ items: [order], next: null }], pageParams: [null] };
  if (flattenOrders(pages).some((known) => known.id === order.id)) {
    return updateOrders(pages, [order]);
  }
  return { ...pages, pages: [{ ...first, items: [order, ...first.items] }, ...rest] };
}

/**
 * Brings a fresh first page in: updates what is loaded and puts unknown orders on top. When the fresh
 * page shares nothing with what is loaded, orders in between are missing, so the listing starts again
 * from the fresh page.
 */
export function mergeNewest(pages: OrderPages, newest: OrderPage): OrderPages {
  const [first, ...rest] = pages.pages;
  const known = new Set(flattenOrders(pages).map((order) => order.id));
  const added = newest.items.filter((order) => !known.has(order.id));
  const gap = added.length === newest.items.length && newest.next !== null;
  if (!first || gap) return { pages: [newest], pageParams: [null] };
  const grown = { ...pages, pages: [{ ...first, items: [...added, ...first.items] }, ...rest] };
  return updateOrders(grown, newest.items);
}

/** Puts the order that was made in the place of the one shown meanwhile; takes that away when null. */
export function settlePlacing(
  pages: OrderPages,
  placingId: string,
  made: Order | null,
): OrderPages {
  const others = {
    ...pages,
    pages: pages.pages.map((page) => ({
      ...page,
      items: page.items.filter((order) => order.id !== placingId),
    })),
  };
  return made === null ? others : addOrder(others, made);
}
