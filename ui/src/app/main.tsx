import '@fontsource-variable/inter/index.css';
import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import './global.css';

import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { renewSessionsWith } from '../features/session/renewal';
import { languages, preferredLanguage } from '../lib/language';
import { sessions } from '../lib/session';
import { App } from './App';
import { ErrorBoundary } from './ErrorBoundary';
import { createQueryClient } from './queryClient';
import { giveDialogsTheNonce, styleNonce } from './styleNonce';
import { resolveContrast, theme } from './theme';

const container = document.getElementById('root');
if (!container) throw new Error('the page has no #root element');
const root = createRoot(container);

giveDialogsTheNonce();

const queries = createQueryClient();
renewSessionsWith(queries);
// What one person was shown is not there for the next.
sessions.subscribe(() => {
  if (sessions.current().session === null) queries.clear();
});

// Texts that cannot be loaded leave the page in English rather than blank.
await languages.use(preferredLanguage()).catch(() => undefined);

root.render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={resolveContrast}
      defaultColorScheme="auto"
      getStyleNonce={styleNonce}
    >
      <ErrorBoundary>
        <QueryClientProvider client={queries}>
          <Notifications position="bottom-right" limit={4} autoClose={6000} className="toasts" />
          <App />
        </QueryClientProvider>
      </ErrorBoundary>
    </MantineProvider>
  </StrictMode>,
);
