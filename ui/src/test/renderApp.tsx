import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { render } from '@testing-library/react';
import { App } from '../app/App';
import { createQueryClient } from '../app/queryClient';
import { renewSessionsWith } from '../features/session/renewal';
import { languages } from '../lib/language';
import { sessions, type Session } from '../lib/session';
import { parseUserId } from '../lib/userId';

/** The whole app at an address, with the production query settings, as user 1 if nothing else is said. */
export function renderApp(address: string, as: Partial<Session> | null = {}): void {
  window.history.replaceState(null, '', address);
  void languages.use('en');
  const client = createQueryClient();
  renewSessionsWith(client);
  if (as !== null) {
    sessions.begin({
      token: 'first',
      userId: parseUserId('1'),
      operator: false,
      expiresAt: null,
      origin: 'demo',
      ...as,
    });
  }
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={client}>
        <Notifications />
        <App />
      </QueryClientProvider>
    </MantineProvider>,
  );
}
