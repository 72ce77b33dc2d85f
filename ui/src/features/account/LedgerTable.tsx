import { Anchor, Table, Text } from '@mantine/core';
import { IconReceipt } from '@tabler/icons-react';
import { Link } from 'wouter';
import { EmptyState } from '../../components/EmptyState';
import { LoadError } from '../../components/LoadError';
import { LoadingRows } from '../../components/LoadingRows';
import { LoadMore } from '../../components/LoadMore';
import { MoneyText } from '../../components/MoneyText';
import { Timestamp } from '../../components/Timestamp';
import { isNotFound } from '../../lib/apiError';
import { useMessages } from '../../lib/messages';
import { isNegative } from '../../lib/money';
import { shortId } from '../../lib/shortId';
import type { UserId } from '../../lib/userId';
import type { LedgerEntry } from './accountApi';
import { useAccount, useLedger } from './accountQueries';
import classes from './LedgerTable.module.css';

/** Every movement of the account, newest first. */
export function LedgerTable({ userId }: { userId: UserId }) {
  const messages = useMessages();
  const account = useAccount(userId);
  const ledger = useLedger(userId);
  if (account.data === null || (ledger.isError && isNotFound(ledger.error))) {
    return (
      <EmptyState
        icon={<IconReceipt size={24} />}
        title={messages.ledger.noAccount}
        detail={messages.ledger.noAccountDetail}
      />
    );
  }
  if (ledger.data === undefined) {
    if (ledger.isError) {
      return (
        <LoadError
          title={messages.ledger.loadFailed}
          error={ledger.error}
          onRetry={() => void ledger.refetch()}
        />
      );
    }
    return <LoadingRows label={messages.ledger.loading} />;
  }
  const entries = ledger.data.pages.flatMap((page) => page.items);
  if (entries.length === 0) {
    return (
      <EmptyState
        icon={<IconReceipt size={24} />}
        title={messages.ledger.empty}
        detail={messages.ledger.emptyDetail}
      />
    );
  }
  return (
    <>
      <Table.ScrollContainer minWidth={280}>
        <Table aria-label={messages.ledger.label} verticalSpacing="sm" highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{messages.ledger.kind}</Table.Th>
              <Table.Th ta="right">{messages.ledger.amount}</Table.Th>
              <Table.Th ta="right">{messages.ledger.balanceAfter}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {entries.map((entry) => (
              <LedgerRow key={entry.id} entry={entry} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <LoadMore
        hasMore={ledger.hasNextPage}
        loading={ledger.isFetchingNextPage}
        failed={ledger.isFetchNextPageError}
        onLoadMore={() => void ledger.fetchNextPage()}
      />
    </>
  );
}

function LedgerRow({ entry }: { entry: LedgerEntry }) {
  const messages = useMessages();
  return (
    <Table.Tr>
      <Table.Td>
        <Text size="sm" fw={500}>
          {messages.ledger.kinds[entry.kind] ?? entry.kind}
        </Text>
        <Text size="xs" c="dimmed">
          <Timestamp value={entry.createdAt} />
          {entry.orderId !== null && (
            <>
              {' · '}
              <Anchor
                component={Link}
                href={`/orders/${entry.orderId}`}
                size="xs"
                underline="always"
                title={entry.orderId}
              >
                {messages.ledger.order(shortId(entry.orderId))}
              </Anchor>
            </>
          )}
        </Text>
      </Table.Td>
      <Table.Td className={classes.amount ?? ''}>
        <Text span size="sm" fw={600} c={isNegative(entry.amount) ? 'red' : 'teal'}>
          <MoneyText value={entry.amount} signed />
        </Text>
      </Table.Td>
      <Table.Td className={classes.amount ?? ''}>
        <Text span size="sm">
          <MoneyText value={entry.balanceAfter} />
        </Text>
      </Table.Td>
    </Table.Tr>
  );
}
