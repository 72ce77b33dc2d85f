import { IconShoppingBag } from '@tabler/icons-react';
import { EmptyState } from '../../components/EmptyState';
import { LoadError } from '../../components/LoadError';
import { LoadingRows } from '../../components/LoadingRows';
import { LoadMore } from '../../components/LoadMore';
import { useMessages } from '../../lib/messages';
import type { Order } from './orderApi';
import classes from './OrderList.module.css';
import { OrderRow } from './OrderRow';
import type { useOrders } from './orderQueries';

interface OrderListProps {
  query: ReturnType<typeof useOrders>;
  orders: readonly Order[];
  /** Tells whose each order is. */
  showUser?: boolean;
  /** Why there can be none: a filter, or nothing yet. */
  filtered?: boolean;
  /** Whether older ones can be loaded here. */
  paged?: boolean;
}

export function OrderList({
  query,
  orders,
  showUser = false,
  filtered = false,
  paged = true,
}: OrderListProps) {
  const messages = useMessages();
  if (query.data === undefined) {
    if (query.isError) {
      return (
        <LoadError
          title={messages.orders.loadFailed}
          error={query.error}
          onRetry={() => void query.refetch()}
        />
      );
    }
    return <LoadingRows label={messages.orders.loading} />;
  }
  if (orders.length === 0 && !query.hasNextPage) {
    return (
      <EmptyState
        icon={<IconShoppingBag size={24} />}
        title={filtered ? messages.orders.noneSuch : messages.orders.empty}
        detail={filtered ? messages.orders.noneSuchDetail : messages.orders.emptyDetail}
      />
    );
  }
  return (
    <>
      <ul className={classes.list} aria-label={messages.orders.label}>
        {orders.map((order) => (
          <OrderRow key={order.id} order={order} showUser={showUser} />
        ))}
      </ul>
      {paged && (
        <LoadMore
          hasMore={query.hasNextPage}
          loading={query.isFetchingNextPage}
          failed={query.isFetchNextPageError}
          onLoadMore={() => void query.fetchNextPage()}
        />
      )}
    </>
  );
}
