import { LosslessNumber } from 'lossless-json';
import {
  asObject,
  asPage,
  moneyField,
  optionalStringField,
  stringField,
  userIdField,
  type Page,
} from '../../lib/decode';
import { request } from '../../lib/http';
import { outages } from '../../lib/outage';
import type { Money } from '../../lib/money';
import type { UserId } from '../../lib/userId';

export interface Order {
  id: string;
  userId: UserId;
  amount: Money;
  description: string | null;
  /** `NEW`, `PENDING_PAYMENT`, `FINISHED` or `CANCELLED`. */
  status: string;
  /** Why it was cancelled. */
  reason: string | null;
  createdAt: string | null;
}

export interface NewOrder {
  amount: Money;
  description: string;
}

const ORDER_PAGE_SIZE = 20;

/** In characters. */
export const MAX_DESCRIPTION = 1000;

/** A settled order never changes again. */
export function isSettled(order: Order): boolean {
  return order.status === 'FINISHED' || order.status === 'CANCELLED';
}

function decodeOrder(body: unknown): Order {
  const source = asObject(body, 'order');
  return {
    id: stringField(source, 'id'),
    userId: userIdField(source, 'user_id'),
    amount: moneyField(source, 'amount'),
    description: optionalStringField(source, 'description'),
    status: stringField(source, 'status'),
    reason: optionalStringField(source, 'reason'),
    createdAt: optionalStringField(source, 'created_at'),
  };
}

/** Newest first; of everyone when `userId` is null. */
export function fetchOrders(
  userId: UserId | null,
  after: string | null,
  signal: AbortSignal,
): Promise<Page<Order>> {
  const query = new URLSearchParams({ limit: String(ORDER_PAGE_SIZE) });
  if (after !== null) query.set('after', after);
  const path = userId === null ? '/orders' : `/orders/user/${userId}`;
  return outages.observe(
    'orders',
    request(`${path}?${query.toString()}`, {
      decode: (body) => asPage(body, decodeOrder),
      signal,
    }),
  );
}

export function fetchOrder(id: string, signal: AbortSignal): Promise<Order> {
  return outages.observe(
    'orders',
    request(`/orders/${encodeURIComponent(id)}`, { decode: decodeOrder, signal }),
  );
}

export function placeOrder(
  userId: UserId,
  order: NewOrder,
  idempotencyKey: string,
): Promise<Order> {
  return outages.observe(
    'orders',
    request('/orders', {
      method: 'POST',
      body: {
        user_id: new LosslessNumber(userId),
        amount: new LosslessNumber(order.amount),
        description: order.description,
      },
      idempotencyKey,
      decode: decodeOrder,
    }),
  );
}
