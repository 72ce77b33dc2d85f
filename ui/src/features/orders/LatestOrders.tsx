import { Anchor, Badge, Group } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useMemo } from 'react';
import { Link } from 'wouter';
import { Panel } from '../../components/Panel';
import { useMessages } from '../../lib/messages';
import type { UserId } from '../../lib/userId';
import { refreshAccount } from '../account/accountQueries';
import classes from './LatestOrders.module.css';
import { OrderList } from './OrderList';
import { flattenOrders } from './orderPages';
import { useOrders, useOrderWatch } from './orderQueries';
import { useSettlementNotices } from './useSettlementNotices';

const SHOWN = 8;

interface LatestOrdersProps {
  /** Whose; everyone's when null. */
  owner: UserId | null;
  /** Who is looking. */
  viewer: UserId | null;
  /** Where all of them are. */
  allHref: string;
}

export function LatestOrders({ owner, viewer, allHref }: LatestOrdersProps) {
  const messages = useMessages();
  const client = useQueryClient();
  const listing = useOrders(owner);
  const orders = useMemo(() => flattenOrders(listing.data), [listing.data]);
  const { watching } = useOrderWatch(owner, orders);
  const onSettled = useCallback(() => {
    if (owner !== null) void refreshAccount(client, owner);
  }, [client, owner]);
  useSettlementNotices(viewer, orders, onSettled);
  return (
    <Panel
      title={owner === null ? messages.orders.latestOfAll : messages.orders.latest}
      aside={
        <Group gap="sm" wrap="nowrap">
          {watching && (
            <Badge variant="dot" color="blue" className={classes.watching ?? ''}>
              {messages.orders.watching}
            </Badge>
          )}
          <Anchor component={Link} href={allHref} size="sm">
            {messages.orders.all}
          </Anchor>
        </Group>
      }
    >
      <OrderList
        query={listing}
        orders={orders.slice(0, SHOWN)}
        showUser={owner === null}
        paged={false}
      />
    </Panel>
  );
}
