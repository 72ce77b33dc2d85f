import { lazy, Suspense } from 'react';
import { Route, Switch } from 'wouter';
import { LoadingRows } from '../components/LoadingRows';
import { LedgerPage } from '../features/account/LedgerPage';
import { OrderPage } from '../features/orders/OrderPage';
import { OrdersPage } from '../features/orders/OrdersPage';
import { useSession } from '../features/session/useSession';
import { useMessages } from '../lib/messages';
import { parseUserId } from '../lib/userId';
import { NotFoundPage } from './NotFoundPage';
import { OperatorOverviewPage } from './OperatorOverviewPage';
import { OverviewPage } from './OverviewPage';

// Few people are operators.
const PipelinePage = lazy(async () => {
  const { PipelinePage: Component } = await import('../features/pipeline/PipelinePage');
  return { default: Component };
});

/** What is at which address, for whom. */
export function Pages() {
  const messages = useMessages();
  const { userId, operator } = useSession();
  return (
    <Suspense fallback={<LoadingRows label={messages.app.loading} />}>
      <Switch>
        <Route path="/">
          {userId === null ? <OperatorOverviewPage /> : <OverviewPage userId={userId} own />}
        </Route>
        <Route path="/orders">
          <OrdersPage owner={operator ? null : userId} viewer={userId} />
        </Route>
        <Route path="/orders/:id">{({ id }) => <OrderPage key={id} id={id} />}</Route>
        {userId !== null && (
          <Route path="/ledger">
            <LedgerPage userId={userId} own />
          </Route>
        )}
        {operator && (
          <Route path="/operator">
            <PipelinePage />
          </Route>
        )}
        {operator && (
          <Route path="/users/:id">
            {({ id }) => {
              const shown = parseUserId(id);
              return shown === null ? (
                <NotFoundPage />
              ) : (
                <OverviewPage key={shown} userId={shown} own={false} />
              );
            }}
          </Route>
        )}
        {operator && (
          <Route path="/users/:id/orders">
            {({ id }) => {
              const shown = parseUserId(id);
              return shown === null ? (
                <NotFoundPage />
              ) : (
                <OrdersPage key={shown} owner={shown} viewer={userId} />
              );
            }}
          </Route>
        )}
        {operator && (
          <Route path="/users/:id/ledger">
            {({ id }) => {
              const shown = parseUserId(id);
              return shown === null ? <NotFoundPage /> : <LedgerPage userId={shown} own={false} />;
            }}
          </Route>
        )}
        <Route>
          <NotFoundPage />
        </Route>
      </Switch>
    </Suspense>
  );
}
