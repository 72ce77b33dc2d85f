import { Alert, Anchor, Button, Card, Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { IconArrowLeft, IconInfoCircle, IconZoomQuestion } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useMemo, type ReactNode } from 'react';
import { Link } from 'wouter';
import { CopyableId } from '../../components/CopyableId';
import { EmptyState } from '../../components/EmptyState';
import { LoadError } from '../../components/LoadError';
import { LoadingRows } from '../../components/LoadingRows';
import { MoneyText } from '../../components/MoneyText';
import { Page } from '../../components/Page';
import { Timestamp } from '../../components/Timestamp';
import { isForbidden, isNotFound } from '../../lib/apiError';
import { useMessages } from '../../lib/messages';
import { shortId } from '../../lib/shortId';
import { refreshAccount } from '../account/accountQueries';
import { useSession } from '../session/useSession';
import type { Order } from './orderApi';
import { useOrder } from './orderQueries';
import { OrderTimeline } from './OrderTimeline';
import { reasonText } from './reasonText';
import { StatusBadge } from './StatusBadge';
import { useSettlementNotices } from './useSettlementNotices';

export function OrderPage({ id }: { id: string }) {
  const messages = useMessages();
  const client = useQueryClient();
  const { userId, operator } = useSession();
  const order = useOrder(id);
  const seen = useMemo(() => (order.data ? [order.data] : []), [order.data]);
  const owner = order.data?.userId;
  const onSettled = useCallback(() => {
    if (owner !== undefined) void refreshAccount(client, owner);
  }, [client, owner]);
  useSettlementNotices(userId, seen, onSettled);
  return (
    <Page
      title={messages.orders.heading(shortId(id))}
      above={
        <Anchor component={Link} href="/orders" size="sm">
          <Group gap={4} component="span">
            <IconArrowLeft size={14} aria-hidden />
            {messages.orders.back}
          </Group>
        </Anchor>
      }
      actions={order.data && <StatusBadge status={order.data.status} size="lg" />}
    >
      {order.data !== undefined ? (
        <Stack gap="lg">
          <OrderFacts order={order.data} showUser={operator} />
          <OrderTimeline order={order.data} />
        </Stack>
      ) : order.isError ? (
        isNotFound(order.error) || isForbidden(order.error) ? (
          <Card>
            <EmptyState
              icon={<IconZoomQuestion size={24} />}
              title={messages.orders.unknown}
              detail={messages.orders.unknownDetail}
              action={
                <Button component={Link} href="/orders" variant="default">
                  {messages.orders.back}
                </Button>
              }
            />
          </Card>
        ) : (
          <LoadError
            title={messages.orders.oneLoadFailed}
            error={order.error}
            onRetry={() => void order.refetch()}
          />
        )
      ) : (
        <Card>
          <LoadingRows label={messages.orders.loadingOne} rows={4} />
        </Card>
      )}
    </Page>
  );
}

function OrderFacts({ order, showUser }: { order: Order; showUser: boolean }) {
  const messages = useMessages();
  const reason = reasonText(order.reason, messages);
  return (
    <Card>
      <Stack gap="md">
        <SimpleGrid component="dl" cols={{ base: 1, xs: 2, md: 4 }} spacing="lg" m={0}>
          <Fact label={messages.orders.description}>
            <Text component="span" c={order.description === null ? 'dimmed' : 'bright'}>
              {order.description ?? messages.orders.noDescription}
            </Text>
          </Fact>
          <Fact label={messages.orders.amount}>
            <Text component="span" fw={700} size="lg" c="bright">
              <MoneyText value={order.amount} />
            </Text>
          </Fact>
          <Fact label={messages.orders.placedAt}>
            {order.createdAt === null ? '–' : <Timestamp value={order.createdAt} />}
          </Fact>
          <Fact label={messages.orders.id}>
            <CopyableId value={order.id} />
          </Fact>
          {showUser && (
            <Fact label={messages.user.id}>
              <Anchor component={Link} href={`/users/${order.userId}`}>
                {messages.user.heading(order.userId)}
              </Anchor>
            </Fact>
          )}
        </SimpleGrid>
        {reason !== null && (
          <Alert
            color="red"
            icon={<IconInfoCircle aria-hidden />}
            title={messages.orders.whyCancelled}
          >
            {reason}
          </Alert>
        )}
      </Stack>
    </Card>
  );
}

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div>
      <Text component="dt" size="sm" c="dimmed" mb={4}>
        {label}
      </Text>
      <Text component="dd" m={0} size="sm" style={{ overflowWrap: 'anywhere' }}>
        {children}
      </Text>
    </div>
  );
}
