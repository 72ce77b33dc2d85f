import { Alert, Card, Group, Stack, Text, Title } from '@mantine/core';
import { IconInfoCircle } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { ColorSchemeToggle } from '../../components/ColorSchemeToggle';
import { LanguageMenu } from '../../components/LanguageMenu';
import { LoadError } from '../../components/LoadError';
import { LoadingRows } from '../../components/LoadingRows';
import { Logo } from '../../components/Logo';
import { useMessages } from '../../lib/messages';
import { DemoSignIn } from './DemoSignIn';
import { ProviderSignIn } from './ProviderSignIn';
import { authConfigQuery } from './renewal';
import classes from './SignInPage.module.css';

interface SignInPageProps {
  /** Why nobody is signed in any more. */
  ended: 'expired' | 'left' | null;
  handedToken: string | null;
}

/** Shown at whatever address there is, so that signing in leads to the page that was asked for. */
export function SignInPage({ ended, handedToken }: SignInPageProps) {
  const messages = useMessages();
  const config = useQuery(authConfigQuery);
  useEffect(() => {
    document.title = `${messages.signIn.title} · ${messages.app.name}`;
  }, [messages]);
  return (
    <div className={classes.page}>
      <header className={classes.corner}>
        <Group gap="xs">
          <LanguageMenu />
          <ColorSchemeToggle />
        </Group>
      </header>
      <main className={classes.content} id="content" tabIndex={-1}>
        <Stack gap="lg">
          <Stack align="center" gap="xs">
            <Logo />
            <Text c="dimmed" size="sm">
              {messages.app.tagline}
            </Text>
          </Stack>
          <Card padding="xl">
            <Stack gap="md">
              <Title order={1} size="h3">
                {messages.signIn.title}
              </Title>
              {ended === 'expired' && (
                <Alert color="orange" icon={<IconInfoCircle aria-hidden />} role="status">
                  {messages.signIn.expired}
                </Alert>
              )}
              {config.data === undefined ? (
                config.isError ? (
                  <LoadError
                    title={messages.signIn.configFailed}
                    error={config.error}
                    onRetry={() => void config.refetch()}
                  />
                ) : (
                  <>
                    <LoadingRows label={messages.signIn.loading} rows={3} />
                    {config.failureCount > 0 && (
                      <Text size="sm" c="dimmed" role="status">
                        {messages.signIn.waitingForShop}
                      </Text>
                    )}
                  </>
                )
              ) : config.data.mode === 'demo' ? (
                <DemoSignIn />
              ) : (
                <ProviderSignIn config={config.data} handedToken={handedToken} />
              )}
            </Stack>
          </Card>
        </Stack>
      </main>
    </div>
  );
}
