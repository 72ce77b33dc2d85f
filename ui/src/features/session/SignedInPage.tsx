import { Button, Center, Loader, Stack, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { useLocation } from 'wouter';
import { useMessages } from '../../lib/messages';
import { sessions } from '../../lib/session';
import { authConfigQuery } from './renewal';

/** Where the identity provider sends people back to; goes on to where they wanted to be. */
export function SignedInPage() {
  const messages = useMessages();
  const client = useQueryClient();
  const [, navigate] = useLocation();
  const result = useQuery({
    queryKey: ['signed-in', window.location.search],
    queryFn: async () => {
      const config = await client.query(authConfigQuery);
      if (config.mode !== 'jwt') return null;
      return (await import('./oidc')).completeSignIn(config);
    },
    // The code in the address is good for one attempt.
    retry: false,
    staleTime: Infinity,
    gcTime: 0,
  });
  useEffect(() => {
    if (result.data === undefined) return;
    navigate(result.data?.returnTo ?? '/', { replace: true });
    if (result.data) sessions.begin(result.data.session);
  }, [result.data, navigate]);
  return (
    <Center component="main" mih="100dvh" p="md">
      {result.isError ? (
        <Stack align="center" role="alert">
          <Text>{messages.signIn.providerFailed}</Text>
          <Button onClick={() => navigate('/', { replace: true })}>{messages.signIn.again}</Button>
        </Stack>
      ) : (
        <Loader aria-label={messages.signIn.loading} />
      )}
    </Center>
  );
}
