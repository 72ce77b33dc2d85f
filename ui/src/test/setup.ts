import '@testing-library/jest-dom/vitest';
import { notifications } from '@mantine/notifications';
import { cleanup, configure } from '@testing-library/react';
import { afterEach } from 'vitest';
import { sessions } from '../lib/session';

// A busy machine may be slow to get there; waiting ends as soon as the condition holds.
configure({ asyncUtilTimeout: 10_000 });

// Mantine asks for these, and jsdom has neither.
window.ResizeObserver = class {
  observe(): void {
    // Nothing has a size in jsdom.
  }
  unobserve(): void {
    // As above.
  }
  disconnect(): void {
    // As above.
  }
};
window.matchMedia = (query) =>
  ({
    matches: false,
    media: query,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }) as unknown as MediaQueryList;

afterEach(() => {
  cleanup();
  notifications.clean();
  localStorage.clear();
  sessionStorage.clear();
  sessions.end('left');
  window.history.replaceState(null, '', '/');
});
