import { messages } from '../../lib/messages';
import type { Order } from './orderApi';

/** Why an order was cancelled, in words; null when there is nothing to say. */
export function reasonText(order: Order): string | null {
  if (order.reason === null) return null;
  return messages.orders.reason[order.reason] ?? order.reason;
}
