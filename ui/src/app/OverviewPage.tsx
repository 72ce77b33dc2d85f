import { Anchor } from '@mantine/core';
import { Link } from 'wouter';
import { Page } from '../components/Page';
import { AccountPanel } from '../features/account/AccountPanel';
import { useAccount } from '../features/account/accountQueries';
import { LatestOrders } from '../features/orders/LatestOrders';
import { OrderForm } from '../features/orders/OrderForm';
import { useSession } from '../features/session/useSession';
import { useMessages } from '../lib/messages';
import type { UserId } from '../lib/userId';
import classes from './OverviewPage.module.css';

interface OverviewPageProps {
  userId: UserId;
  /** Whether it is the person's own, or an operator looks at a user's. */
  own: boolean;
}

/** A user's account, the form for a new order, and the latest ones. */
export function OverviewPage({ userId, own }: OverviewPageProps) {
  const messages = useMessages();
  const { userId: viewer } = useSession();
  const account = useAccount(userId);
  const root = own ? '' : `/users/${userId}`;
  return (
    <Page
      title={own ? messages.nav.overview : messages.user.heading(userId)}
      actions={
        own ? undefined : (
          <Anchor component={Link} href={`${root}/ledger`} size="sm">
            {messages.nav.ledger}
          </Anchor>
        )
      }
    >
      <div className={classes.layout}>
        <div className={classes.side}>
          <AccountPanel userId={userId} />
          <OrderForm userId={userId} balance={account.data?.balance ?? null} />
        </div>
        <LatestOrders owner={userId} viewer={viewer} allHref={`${root}/orders`} />
      </div>
    </Page>
  );
}
