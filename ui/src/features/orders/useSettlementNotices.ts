import { useEffect, useRef } from 'react';
import type { UserId } from '../../lib/userId';
import { notices } from '../notices/noticeStore';
import { isSettled, type Order } from './orderApi';

/**
 * Tells when orders of this user seen unsettled before have settled, once each: by a notice, and by
 * `onSettled` for whoever depends on the outcome. This is how it is known without a live connection; what
 * is heard in both ways is told once.
 */
export function useSettlementNotices(
  userId: UserId | null,
  orders: readonly Order[],
  onSettled: () => void,
): void {
  const settledById = useRef(new Map<string, boolean>());
  useEffect(() => {
    const known = settledById.current;
    const settledNow = orders.filter((order) => known.get(order.id) === false && isSettled(order));
    for (const order of orders) {
      known.set(order.id, known.get(order.id) === true || isSettled(order));
    }
    if (settledNow.length === 0) return;
    for (const order of settledNow.filter((settled) => settled.userId === userId)) announce(order);
    onSettled();
  }, [userId, orders, onSettled]);
}

function announce({ id, status, amount, description, reason }: Order): void {
  if (status !== 'FINISHED' && status !== 'CANCELLED') return;
  notices.add({
    orderId: id,
    outcome: status,
    amount,
    description,
    reason,
    at: new Date().toISOString(),
  });
}
