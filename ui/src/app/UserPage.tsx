import { ActionIcon, Badge, Card, Group, Tabs, Title } from '@mantine/core';
import { IconRefresh } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo } from 'react';
import { AccountPanel } from '../features/account/AccountPanel';
import { refreshAccount, useAccount } from '../features/account/accountQueries';
import { LedgerTable } from '../features/account/LedgerTable';
import { OrderForm } from '../features/orders/OrderForm';
import { OrderList } from '../features/orders/OrderList';
import { flattenOrders } from '../features/orders/orderPages';
import { useOrders, useOrderWatch } from '../features/orders/orderQueries';
import { useSettlementNotices } from '../features/orders/useSettlementNotices';
import { messages } from '../lib/messages';
import type { UserId } from '../lib/userId';
import { rememberUser } from './recentUsers';
import { navigate, type Tab } from './userLocation';
import classes from './UserPage.module.css';

interface UserPageProps {
  userId: UserId;
  tab: Tab;
}

export function UserPage({ userId, tab }: UserPageProps) {
  const client = useQueryClient();
  const account = useAccount(userId);
  const listing = useOrders(userId);
  const orders = useMemo(() => flattenOrders(listing.data), [listing.data]);
  const { watching } = useOrderWatch(userId, orders);
  const onSettled = useCallback(() => void refreshAccount(client, userId), [client, userId]);
  useSettlementNotices(orders, onSettled);
  useEffect(() => rememberUser(userId), [userId]);

  return (
    <>
      <Title order={1} size="h3" mb="md" className={classes.title ?? ''}>
        {messages.user.heading(userId)}
      </Title>
      <div className={classes.layout}>
        <div className={classes.side}>
          <AccountPanel userId={userId} />
          <OrderForm userId={userId} balance={account.data?.balance ?? null} />
        </div>
        <Card component="section" className={classes.main ?? ''}>
          <Tabs
            value={tab}
            onChange={(next) => navigate({ userId, tab: next === 'ledger' ? 'ledger' : 'orders' })}
            keepMounted={false}
          >
            <Group justify="space-between" mb="sm" wrap="nowrap">
              <Tabs.List>
                <Tabs.Tab value="orders">{messages.orders.tab}</Tabs.Tab>
                <Tabs.Tab value="ledger">{messages.ledger.tab}</Tabs.Tab>
              </Tabs.List>
              <Group gap="xs" wrap="nowrap">
                {watching && (
                  <Badge variant="dot" color="blue" className={classes.watching ?? ''}>
                    {messages.orders.watching}
                  </Badge>
                )}
                <ActionIcon
                  variant="default"
                  size="lg"
                  aria-label={messages.orders.refresh}
                  title={messages.orders.refresh}
                  onClick={() => {
                    void listing.refetch();
                    void refreshAccount(client, userId);
                  }}
                >
                  <IconRefresh size={18} aria-hidden />
                </ActionIcon>
              </Group>
            </Group>
            <Tabs.Panel value="orders">
              <OrderList query={listing} orders={orders} />
            </Tabs.Panel>
            <Tabs.Panel value="ledger">
              <LedgerTable userId={userId} />
            </Tabs.Panel>
          </Tabs>
        </Card>
      </div>
    </>
  );
}
