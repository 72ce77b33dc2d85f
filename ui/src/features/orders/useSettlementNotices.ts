import { notifications } from '@mantine/notifications';
import { useEffect, useRef } from 'react';
import { messages } from '../../lib/messages';
import { formatMoney } from '../../lib/money';
import { isSettled, type Order } from './orderApi';
import { reasonText } from './reasonText';

/** More than this many at once are told of in one notice. */
const SINGLE_NOTICES = 3;

/**
 * Tells when orders seen unsettled before have settled, once each: by a toast, and by `onSettled` for
 * whoever depends on the outcome.
 */
export function useSettlementNotices(orders: readonly Order[], onSettled: () => void): void {
  const settledById = useRef(new Map<string, boolean>());
  useEffect(() => {
    const known = settledById.current;
    const settledNow = orders.filter((order) => known.get(order.id) === false && isSettled(order));
    for (const order of orders) {
      known.set(order.id, known.get(order.id) === true || isSettled(order));
    }
    if (settledNow.length === 0) return;
    announce(settledNow);
    onSettled();
  }, [orders, onSettled]);
}

function announce(orders: readonly Order[]): void {
  if (orders.length > SINGLE_NOTICES) {
    const finished = orders.filter((order) => order.status === 'FINISHED').length;
    notifications.show({
      color: 'blue',
      title: messages.orders.manySettledToast,
      message: messages.orders.manySettled(finished, orders.length - finished),
    });
    return;
  }
  for (const order of orders) {
    const finished = order.status === 'FINISHED';
    const subject = order.description ?? messages.orders.noDescription;
    const reason = finished ? null : reasonText(order);
    notifications.show({
      color: finished ? 'teal' : 'red',
      title: finished ? messages.orders.finishedToast : messages.orders.cancelledToast,
      message: [subject, formatMoney(order.amount, messages.locale), reason]
        .filter((part) => part !== null)
        .join(' · '),
    });
  }
}
