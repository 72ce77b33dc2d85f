import { describe, expect, it } from 'vitest';
import { moneyFromLiteral } from '../../lib/money';
import type { UserId } from '../../lib/userId';
import type { Order } from './orderApi';
import { addOrder, flattenOrders, mergeNewest, updateOrders, type OrderPages } from './orderPages';

function order(id: string, status = 'FINISHED'): Order {
  return {
    id,
    userId: '1' as UserId,
    amount: moneyFromLiteral('5'),
    description: null,
    status,
    reason: null,
    createdAt: null,
  };
}

function pages(...ids: string[][]): OrderPages {
  return {
    pages: ids.map((page, index) => ({
      items: page.map((id) => order(id)),
      next: index < ids.length - 1 ? (page.at(-1) ?? null) : null,
    })),
    pageParams: ids.map(() => null),
  };
}

const idsOf = (listing: OrderPages) => flattenOrders(listing).map(({ id }) => id);

describe('order pages', () => {
  it('put a placed order on top, once', () => {
    const listing = addOrder(pages(['b', 'a']), order('c', 'NEW'));
    expect(idsOf(listing)).toEqual(['c', 'b', 'a']);
    expect(idsOf(addOrder(listing, order('c', 'NEW')))).toEqual(['c', 'b', 'a']);
  });

  it('never take a settled order back', () => {
    const listing = updateOrders(pages(['a']), [order('a', 'NEW')]);
    expect(flattenOrders(listing)[0]?.status).toBe('FINISHED');
    const settled = updateOrders(addOrder(pages(['a']), order('b', 'NEW')), [order('b')]);
    expect(flattenOrders(settled)[0]?.status).toBe('FINISHED');
  });

  it('show an order once when pages overlap', () => {
    expect(idsOf(pages(['c', 'b'], ['b', 'a']))).toEqual(['c', 'b', 'a']);
  });

  it('take in new orders without losing older pages', () => {
    const newest = { items: [order('e'), order('d')], next: 'd' };
    expect(idsOf(mergeNewest(pages(['d', 'c'], ['b', 'a']), newest))).toEqual([
      'e',
      'd',
      'c',
      'b',
      'a',
    ]);
  });

  it('start again when orders in between are missing', () => {
    const newest = { items: [order('z'), order('y')], next: 'y' };
    expect(idsOf(mergeNewest(pages(['d', 'c'], ['b', 'a']), newest))).toEqual(['z', 'y']);
  });

  it('fill an empty listing', () => {
    const newest = { items: [order('a')], next: null };
    expect(idsOf(mergeNewest(pages([]), newest))).toEqual(['a']);
  });
});
