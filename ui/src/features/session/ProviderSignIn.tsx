import { Button, Stack, Text } from '@mantine/core';
import { IconLogin2 } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { FormError } from '../../components/FormError';
import { LoadingRows } from '../../components/LoadingRows';
import { describeError } from '../../lib/formErrors';
import { useMessages } from '../../lib/messages';
import { sessions } from '../../lib/session';
import type { Provider } from './oidc';
import { fetchIdentityOf } from './sessionApi';

interface ProviderSignInProps {
  config: Provider;
  handedToken: string | null;
}

/** Sign-in at the organisation's identity provider. */
export function ProviderSignIn({ config, handedToken }: ProviderSignInProps) {
  const messages = useMessages();
  const leave = useMutation({
    mutationFn: async () => {
      const { pathname, search } = window.location;
      await (await import('./oidc')).leaveToSignIn(config, pathname + search);
    },
  });
  return (
    <Stack gap="md">
      {handedToken !== null && <HandedToken token={handedToken} />}
      <Text size="sm" c="dimmed">
        {messages.signIn.byProvider}
      </Text>
      <FormError message={leave.isError ? messages.signIn.providerFailed : null} />
      <Button
        size="md"
        fullWidth
        variant={handedToken === null ? 'filled' : 'default'}
        leftSection={<IconLogin2 size={18} aria-hidden />}
        loading={leave.isPending}
        disabled={config.issuer === '' || config.clientId === ''}
        onClick={() => leave.mutate()}
      >
        {messages.signIn.continueAt(hostOf(config.issuer))}
      </Button>
      {(config.issuer === '' || config.clientId === '') && (
        <Text size="sm" c="dimmed">
          {messages.signIn.noProvider}
        </Text>
      )}
    </Stack>
  );
}

/**
 * A token that came in the address is used only when the person says so: otherwise a link could sign
 * people in as somebody else without their noticing.
 */
function HandedToken({ token }: { token: string }) {
  const messages = useMessages();
  const identity = useQuery({
    queryKey: ['handed-token', token],
    queryFn: () => fetchIdentityOf(token),
    gcTime: 0,
  });
  if (identity.isPending) return <LoadingRows label={messages.signIn.loading} rows={1} />;
  if (identity.isError) {
    return (
      <FormError message={`${messages.signIn.handedRefused} ${describeError(identity.error)}`} />
    );
  }
  const { userId } = identity.data;
  return (
    <Button
      size="md"
      fullWidth
      onClick={() => sessions.begin({ ...identity.data, token, origin: 'handed_over' })}
    >
      {messages.signIn.continueAs(
        userId === null ? messages.user.operator : messages.user.heading(userId),
      )}
    </Button>
  );
}

function hostOf(issuer: string): string {
  return URL.canParse(issuer) ? new URL(issuer).host : issuer;
}
