import { useSyncExternalStore } from 'react';
import { parseUserId, type UserId } from '../lib/userId';

/** The tabs of a user's page. */
export type Tab = 'orders' | 'ledger';

/** What the address says is shown: `/?user=1&tab=ledger`. */
export interface UserLocation {
  userId: UserId | null;
  tab: Tab;
}

export function parseLocation(search: string): UserLocation {
  const params = new URLSearchParams(search);
  return {
    userId: parseUserId(params.get('user') ?? ''),
    tab: params.get('tab') === 'ledger' ? 'ledger' : 'orders',
  };
}

export function locationHref({ userId, tab }: UserLocation): string {
  if (userId === null) return '/';
  const params = new URLSearchParams({ user: userId });
  if (tab !== 'orders') params.set('tab', tab);
  return `/?${params.toString()}`;
}

const NAVIGATED = 'userlocationchange';

function subscribe(listener: () => void): () => void {
  window.addEventListener('popstate', listener);
  window.addEventListener(NAVIGATED, listener);
  return () => {
    window.removeEventListener('popstate', listener);
    window.removeEventListener(NAVIGATED, listener);
  };
}

/** Follows the address bar, the back button included. */
export function useUserLocation(): UserLocation {
  return parseLocation(useSyncExternalStore(subscribe, () => window.location.search));
}

export function navigate(to: UserLocation): void {
  window.history.pushState(null, '', locationHref(to));
  window.dispatchEvent(new Event(NAVIGATED));
}
