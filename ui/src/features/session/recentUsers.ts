import { parseUserId, type UserId } from '../../lib/userId';

const STORAGE_KEY = 'recent-users';
const KEPT = 5;

/** Users opened in this browser, latest first; empty where storage is not available. */
export function recentUsers(): UserId[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? '[]');
    if (!Array.isArray(stored)) return [];
    return stored
      .map((id) => (typeof id === 'string' ? parseUserId(id) : null))
      .filter((id) => id !== null);
  } catch {
    return [];
  }
}

export function rememberUser(userId: UserId): void {
  const others = recentUsers().filter((id) => id !== userId);
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify([userId, ...others].slice(0, KEPT)));
  } catch {
    // A full or forbidden storage only costs the shortcut on the start page.
  }
}
