import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { render } from '@testing-library/react';
import { App } from '../app/App';
import { createQueryClient } from '../app/queryClient';

/** The whole app at an address, with the production query settings. */
export function renderApp(address: string): void {
  window.history.replaceState(null, '', address);
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={createQueryClient()}>
        <Notifications />
        <App />
      </QueryClientProvider>
    </MantineProvider>,
  );
}
