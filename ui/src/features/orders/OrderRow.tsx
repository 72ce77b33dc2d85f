import { Text } from '@mantine/core';
import { IconChevronRight } from '@tabler/icons-react';
import { memo } from 'react';
import { Link } from 'wouter';
import { MoneyText } from '../../components/MoneyText';
import { Timestamp } from '../../components/Timestamp';
import { useMessages } from '../../lib/messages';
import { shortId } from '../../lib/shortId';
import { PLACING, type Order } from './orderApi';
import classes from './OrderList.module.css';
import { reasonText } from './reasonText';
import { StatusBadge } from './StatusBadge';

interface OrderRowProps {
  order: Order;
  showUser: boolean;
}

export const OrderRow = memo(function OrderRow({ order, showUser }: OrderRowProps) {
  const messages = useMessages();
  const reason = reasonText(order.reason, messages);
  const placing = order.status === PLACING;
  const title = order.description ?? messages.orders.noDescription;
  return (
    <li className={classes.row} data-order-id={order.id} data-placing={placing}>
      <div className={classes.what}>
        <Text fw={500} c={order.description === null ? 'dimmed' : 'bright'} lineClamp={2}>
          {placing ? (
            title
          ) : (
            // The whole row is the link's area.
            <Link href={`/orders/${order.id}`} className={classes.link}>
              {title}
            </Link>
          )}
        </Text>
        <Text size="xs" c="dimmed">
          {showUser && `${messages.user.heading(order.userId)} · `}
          {order.createdAt !== null && <Timestamp value={order.createdAt} />}
          {!placing && (
            <>
              {' · '}
              <span title={`${messages.orders.id} ${order.id}`}>#{shortId(order.id)}</span>
            </>
          )}
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
      <IconChevronRight size={16} aria-hidden className={classes.chevron ?? ''} />
    </li>
  );
});
