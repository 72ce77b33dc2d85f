import { Text } from '@mantine/core';
import { memo } from 'react';
import { MoneyText } from '../../components/MoneyText';
import { Timestamp } from '../../components/Timestamp';
import { messages } from '../../lib/messages';
import { shortId } from '../../lib/shortId';
import type { Order } from './orderApi';
import classes from './OrderList.module.css';
import { reasonText } from './reasonText';
import { StatusBadge } from './StatusBadge';

interface OrderRowProps {
  order: Order;
  showUser: boolean;
}

export const OrderRow = memo(function OrderRow({ order, showUser }: OrderRowProps) {
  const reason = reasonText(order);
  return (
    <li className={classes.row} data-order-id={order.id}>
      <div className={classes.what}>
        <Text fw={500} c={order.description === null ? 'dimmed' : 'bright'} lineClamp={2}>
          {order.description ?? messages.orders.noDescription}
        </Text>
        <Text size="xs" c="dimmed">
          {showUser && `${messages.user.heading(order.userId)} · `}
          {order.createdAt !== null && (
            <>
              <Timestamp value={order.createdAt} />
              {' · '}
            </>
          )}
          <span title={`${messages.orders.id} ${order.id}`}>#{shortId(order.id)}</span>
        </Text>
      </div>
      <div className={classes.status}>
        <StatusBadge status={order.status} />
        {reason !== null && (
          <Text size="xs" c="red">
            {reason}
          </Text>
        )}
      </div>
      <Text component="div" fw={600} c="bright" className={classes.amount ?? ''}>
        <MoneyText value={order.amount} />
      </Text>
    </li>
  );
});
