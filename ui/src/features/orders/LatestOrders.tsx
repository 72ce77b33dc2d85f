import { ActionIcon } from '@mantine/core';
import { IconRefresh } from '@tabler/icons-react';
import { useMemo } from 'react';
import { Panel } from '../../components/Panel';
import { messages } from '../../lib/messages';
import { OrderList } from './OrderList';
import { flattenOrders } from './orderPages';
import { useOrders, useOrderWatch } from './orderQueries';

/** Everyone's orders, live as a user's own are. */
export function LatestOrders() {
  const listing = useOrders(null);
  const orders = useMemo(() => flattenOrders(listing.data), [listing.data]);
  useOrderWatch(null, orders);
  return (
    <Panel
      title={messages.orders.latest}
      aside={
        <ActionIcon
          variant="default"
          size="lg"
          aria-label={messages.orders.refresh}
          title={messages.orders.refresh}
          onClick={() => void listing.refetch()}
        >
          <IconRefresh size={18} aria-hidden />
        </ActionIcon>
      }
    >
      <OrderList query={listing} orders={orders} showUser />
    </Panel>
  );
}
