import { LosslessNumber } from 'lossless-json';
import type { Schemas } from '../../api/operations';
import {
  asObject,
  asPage,
  moneyField,
  optionalStringField,
  stringField,
  userIdField,
  type Page,
  type Unverified,
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
  /** `NEW`, `PENDING_PAYMENT`, `FINISHED` or `CANCELLED`; `PLACING` until the shop has answered. */
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

/** What orders can be filtered by. */
export const ORDER_STATUSES = [
  'NEW',
  'FINISHED',
  'CANCELLED',
] as const satisfies readonly Schemas['Status'][];

export type OrderStatus = (typeof ORDER_STATUSES)[number];

/** Whose orders: one user's, or everyone's when null. */
export type Owner = UserId | null;

/** Of this page alone: sent, and not answered yet. */
export const PLACING = 'PLACING';

/** A settled order never changes again. */
export function isSettled(order: Order): boolean {
  return order.status === 'FINISHED' || order.status === 'CANCELLED';
}

function decodeOrder(body: Unverified<Schemas['Order']>): Order {
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

/** Newest first. */
export function fetchOrders(
  owner: Owner,
  after: string | null,
  signal: AbortSignal,
): Promise<Page<Order>> {
  const options = {
    query: { limit: ORDER_PAGE_SIZE, ...(after !== null && { after }) },
    decode: (body: Unverified<Schemas['Listing_Order']>) => asPage(body, decodeOrder),
    signal,
  };
  return outages.observe(
    'orders',
    owner === null
      ? request('GET', '/orders', options)
      : request('GET', '/orders/user/{user_id}', { ...options, path: { user_id: owner } }),
  );
}

export function fetchOrder(id: string, signal: AbortSignal): Promise<Order> {
  return outages.observe(
    'orders',
    request('GET', '/orders/{id}', { path: { id }, decode: decodeOrder, signal }),
  );
}

export function placeOrder(
  userId: UserId,
  order: NewOrder,
  idempotencyKey: string,
): Promise<Order> {
  return outages.observe(
    'orders',
    request('POST', '/orders', {
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
