import { Alert, Button, Divider, Group, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconFlask, IconShieldHalf, IconUser } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { FormError } from '../../components/FormError';
import { describeError } from '../../lib/formErrors';
import { useMessages } from '../../lib/messages';
import { sessions } from '../../lib/session';
import { parseUserId, type UserId } from '../../lib/userId';
import { recentUsers, rememberUser } from './recentUsers';
import { requestDemoToken, type DemoIdentity } from './sessionApi';

/** Anyone may be anyone: what the gateway's demo mode is for. */
export function DemoSignIn() {
  const messages = useMessages();
  const [recent] = useState(recentUsers);
  const signIn = useMutation({
    mutationFn: (who: DemoIdentity) => requestDemoToken(who),
    onSuccess: (session) => {
      if (session.userId !== null) rememberUser(session.userId);
      sessions.begin(session);
    },
  });
  const form = useForm({
    initialValues: { userId: '' },
    validate: { userId: (text) => (parseUserId(text) ? null : messages.user.invalidId) },
  });
  const busyWith = signIn.isPending ? signIn.variables : null;
  const enter = (userId: UserId) => signIn.mutate({ userId });

  return (
    <Stack gap="md">
      <Alert color="orange" icon={<IconFlask aria-hidden />} title={messages.demo.title}>
        {messages.demo.detail}
      </Alert>
      <form
        noValidate
        onSubmit={form.onSubmit(({ userId }) => {
          const parsed = parseUserId(userId);
          if (parsed && !signIn.isPending) enter(parsed);
        })}
      >
        <Stack gap="sm">
          <TextInput
            size="md"
            label={messages.user.id}
            placeholder={messages.user.idPlaceholder}
            inputMode="numeric"
            autoComplete="off"
            data-autofocus
            {...form.getInputProps('userId')}
          />
          <Button
            type="submit"
            size="md"
            fullWidth
            loading={busyWith !== null && busyWith !== 'operator'}
            disabled={busyWith === 'operator'}
          >
            {messages.signIn.asUser}
          </Button>
        </Stack>
      </form>
      {recent.length > 0 && (
        <nav aria-label={messages.user.recent}>
          <Text size="sm" c="dimmed" mb={6}>
            {messages.user.recent}
          </Text>
          <Group gap="xs">
            {recent.map((userId) => (
              <Button
                key={userId}
                variant="default"
                size="xs"
                leftSection={<IconUser size={14} aria-hidden />}
                disabled={signIn.isPending}
                onClick={() => enter(userId)}
              >
                {messages.user.heading(userId)}
              </Button>
            ))}
          </Group>
        </nav>
      )}
      <FormError message={signIn.isError ? describeError(signIn.error) : null} />
      <Divider label={messages.signIn.or} />
      <Button
        variant="default"
        size="md"
        fullWidth
        leftSection={<IconShieldHalf size={18} aria-hidden />}
        loading={busyWith === 'operator'}
        disabled={busyWith !== null && busyWith !== 'operator'}
        onClick={() => signIn.mutate('operator')}
      >
        {messages.signIn.asOperator}
      </Button>
    </Stack>
  );
}
