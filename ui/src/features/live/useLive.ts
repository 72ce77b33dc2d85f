import { createContext, use, useSyncExternalStore } from 'react';
import type { LiveClient, LiveState } from './liveClient';

export const LiveContext = createContext<LiveClient | null>(null);

const nothing = () => () => undefined;
const stopped = (): LiveState => 'stopped';

/** The state of the live connection; `stopped` where there is none. */
export function useLiveState(): LiveState {
  const client = use(LiveContext);
  return useSyncExternalStore(client?.subscribe ?? nothing, client?.state ?? stopped);
}

export function useLiveRetry(): () => void {
  const client = use(LiveContext);
  return () => client?.retryNow();
}
