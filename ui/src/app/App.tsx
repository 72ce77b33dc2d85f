import { useState } from 'react';
import { Route, Switch } from 'wouter';
import { LiveProvider } from '../features/live/LiveProvider';
import { notices } from '../features/notices/noticeStore';
import { useNoticeToasts } from '../features/notices/useNoticeToasts';
import { takeHandedToken } from '../features/session/handedToken';
import { SignedInPage } from '../features/session/SignedInPage';
import { SignInPage } from '../features/session/SignInPage';
import { SessionContext, useSessionState } from '../features/session/useSession';
import type { Session } from '../lib/session';
import { Pages } from './Pages';
import { Shell } from './Shell';

export function App() {
  const { session, ended } = useSessionState();
  const [handedToken] = useState(takeHandedToken);
  return (
    <Switch>
      <Route path="/signed-in">
        <SignedInPage />
      </Route>
      <Route>
        {session === null ? (
          <SignInPage ended={ended} handedToken={handedToken} />
        ) : (
          // Another person gets a page of their own, with nothing left of the one before.
          <SignedIn key={nameOf(session)} session={session} />
        )}
      </Route>
    </Switch>
  );
}

function nameOf({ userId, operator }: Session): string {
  return `${operator ? 'operator' : 'user'} ${userId ?? ''}`;
}

function SignedIn({ session }: { session: Session }) {
  useState(() => notices.openFor(nameOf(session)));
  useNoticeToasts();
  return (
    <SessionContext value={session}>
      <LiveProvider>
        <Shell>
          <Pages />
        </Shell>
      </LiveProvider>
    </SessionContext>
  );
}
