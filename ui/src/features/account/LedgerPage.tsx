import { Card } from '@mantine/core';
import { Page } from '../../components/Page';
import { useMessages } from '../../lib/messages';
import type { UserId } from '../../lib/userId';
import { LedgerTable } from './LedgerTable';

interface LedgerPageProps {
  userId: UserId;
  /** Whether it is the person's own, or an operator looks at a user's. */
  own: boolean;
}

export function LedgerPage({ userId, own }: LedgerPageProps) {
  const messages = useMessages();
  return (
    <Page title={own ? messages.ledger.title : messages.ledger.titleOf(userId)}>
      <Card>
        <LedgerTable userId={userId} />
      </Card>
    </Page>
  );
}
