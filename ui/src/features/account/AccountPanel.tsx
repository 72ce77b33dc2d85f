import { Divider, Stack, Text } from '@mantine/core';
import { IconWallet } from '@tabler/icons-react';
import { EmptyState } from '../../components/EmptyState';
import { LoadError } from '../../components/LoadError';
import { LoadingRows } from '../../components/LoadingRows';
import { MoneyText } from '../../components/MoneyText';
import { Panel } from '../../components/Panel';
import { useMessages } from '../../lib/messages';
import type { UserId } from '../../lib/userId';
import classes from './AccountPanel.module.css';
import { useAccount } from './accountQueries';
import { BalanceForm } from './BalanceForm';
import { CreateAccountForm } from './CreateAccountForm';

/** Characters beyond which the balance needs a smaller type to stay on one line. */
const LONG_BALANCE = 13;

export function AccountPanel({ userId }: { userId: UserId }) {
  const messages = useMessages();
  return (
    <Panel title={messages.account.title}>
      <AccountContent userId={userId} />
    </Panel>
  );
}

function AccountContent({ userId }: { userId: UserId }) {
  const messages = useMessages();
  const account = useAccount(userId);
  if (account.data === undefined) {
    if (account.isError) {
      return (
        <LoadError
          title={messages.account.loadFailed}
          error={account.error}
          onRetry={() => void account.refetch()}
        />
      );
    }
    return <LoadingRows label={messages.account.loading} rows={2} height={56} />;
  }
  if (account.data === null) {
    return (
      <Stack gap="sm">
        <EmptyState
          icon={<IconWallet size={24} />}
          title={messages.account.none}
          detail={messages.account.noneDetail}
        />
        <CreateAccountForm userId={userId} />
      </Stack>
    );
  }
  return (
    <Stack gap="md">
      <div role="group" aria-label={messages.account.balance} aria-live="polite">
        <Text size="sm" c="dimmed">
          {messages.account.balance}
        </Text>
        <Text
          component="div"
          className={classes.balance ?? ''}
          data-long={account.data.balance.length > LONG_BALANCE}
        >
          <MoneyText value={account.data.balance} />
        </Text>
      </div>
      <Divider />
      <BalanceForm userId={userId} />
    </Stack>
  );
}
