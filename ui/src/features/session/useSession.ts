import { createContext, use, useSyncExternalStore } from 'react';
import { sessions, type Session, type SessionState } from '../../lib/session';

export function useSessionState(): SessionState {
  return useSyncExternalStore(sessions.subscribe, sessions.current);
}

export const SessionContext = createContext<Session | null>(null);

/** Who is signed in; only for what is shown to the signed in. */
export function useSession(): Session {
  const session = use(SessionContext);
  if (session === null) throw new Error('nobody is signed in here');
  return session;
}
