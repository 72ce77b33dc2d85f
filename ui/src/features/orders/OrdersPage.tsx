import { ActionIcon, Card, Group, SegmentedControl, VisuallyHidden } from '@mantine/core';
import { IconRefresh } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo } from 'react';
import { useSearchParams } from 'wouter';
import { Page } from '../../components/Page';
import { useMessages } from '../../lib/messages';
import type { UserId } from '../../lib/userId';
import { refreshAccount } from '../account/accountQueries';
import { ORDER_STATUSES, type OrderStatus } from './orderApi';
import { OrderList } from './OrderList';
import classes from './OrdersPage.module.css';
import { flattenOrders } from './orderPages';
import { useOrders, useOrderWatch } from './orderQueries';
import { useSettlementNotices } from './useSettlementNotices';

interface OrdersPageProps {
  /** Whose; everyone's when null. */
  owner: UserId | null;
  viewer: UserId | null;
}

const ANY = 'ANY';
/** With a filter, older pages are read until there is this much to show. */
const ENOUGH_MATCHES = 10;
/** Then it is the person's turn to ask for more. */
const PAGES_BY_ITSELF = 10;

function readStatus(text: string | null): OrderStatus | null {
  return ORDER_STATUSES.find((status) => status === text) ?? null;
}

export function OrdersPage({ owner, viewer }: OrdersPageProps) {
  const messages = useMessages();
  const client = useQueryClient();
  const [params, setParams] = useSearchParams();
  const status = readStatus(params.get('status'));
  const listing = useOrders(owner);
  const loaded = useMemo(() => flattenOrders(listing.data), [listing.data]);
  const orders = useMemo(
    () => loaded.filter((order) => status === null || order.status === status),
    [loaded, status],
  );
  useSearchFurther(listing, status !== null && orders.length < ENOUGH_MATCHES);
  useOrderWatch(owner, loaded);
  const onSettled = useCallback(() => {
    if (owner !== null) void refreshAccount(client, owner);
  }, [client, owner]);
  useSettlementNotices(viewer, loaded, onSettled);
  return (
    <Page
      title={owner === null ? messages.orders.ofAll : messages.orders.title}
      actions={
        <ActionIcon
          variant="default"
          size="lg"
          aria-label={messages.orders.refresh}
          title={messages.orders.refresh}
          loading={listing.isRefetching && !listing.isFetchingNextPage}
          onClick={() => void listing.refetch()}
        >
          <IconRefresh size={18} aria-hidden />
        </ActionIcon>
      }
    >
      <Card>
        <Group mb="sm">
          <SegmentedControl
            className={classes.filter ?? ''}
            aria-label={messages.orders.filter}
            value={status ?? ANY}
            onChange={(value) => {
              setParams(value === ANY ? {} : { status: value }, { replace: true });
            }}
            data={[
              { value: ANY, label: messages.orders.anyStatus },
              ...ORDER_STATUSES.map((value) => ({
                value,
                label: messages.orders.status[value] ?? value,
              })),
            ]}
          />
        </Group>
        <VisuallyHidden role="status">
          {listing.data !== undefined && messages.orders.shown(orders.length)}
        </VisuallyHidden>
        <OrderList
          query={listing}
          orders={orders}
          showUser={owner === null}
          filtered={status !== null}
        />
      </Card>
    </Page>
  );
}

/** The shop lists orders by time alone, so a filter looks for its own in the pages that come. */
function useSearchFurther(listing: ReturnType<typeof useOrders>, wanted: boolean): void {
  const { data, hasNextPage, isFetching, isError, fetchNextPage } = listing;
  const pages = data?.pages.length ?? 0;
  const go = wanted && hasNextPage && !isFetching && !isError && pages < PAGES_BY_ITSELF;
  useEffect(() => {
    if (go) void fetchNextPage();
  }, [go, fetchNextPage]);
}
