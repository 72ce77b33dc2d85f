import type { QueryClient } from '@tanstack/react-query';
import { sessions, type Session } from '../../lib/session';
import { fetchAuthConfig, requestDemoToken } from './sessionApi';

export const authConfigQuery = {
  queryKey: ['auth-config'],
  queryFn: ({ signal }: { signal: AbortSignal }) => fetchAuthConfig(signal),
  staleTime: Infinity,
};

/**
 * Demo tokens are given to anyone who asks, so one that has expired, or was signed by a gateway that has
 * been restarted since, is replaced in passing. Sign-ins at an identity provider go by the refresh token.
 */
async function renew(client: QueryClient, session: Session): Promise<Session | null> {
  if (session.origin === 'handed_over') return null;
  if (session.origin === 'demo') {
    if (session.userId === null) return session.operator ? requestDemoToken('operator') : null;
    return requestDemoToken({ userId: session.userId });
  }
  const config = await client.query(authConfigQuery);
  if (config.mode !== 'jwt') return null;
  return (await import('./oidc')).renewSignIn(config);
}

export function renewSessionsWith(client: QueryClient): void {
  sessions.renewBy((session) => renew(client, session));
}
