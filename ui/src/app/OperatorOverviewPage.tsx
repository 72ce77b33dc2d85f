import { Button, Group, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useLocation } from 'wouter';
import { Page } from '../components/Page';
import { Panel } from '../components/Panel';
import { LatestOrders } from '../features/orders/LatestOrders';
import { useMessages } from '../lib/messages';
import { parseUserId } from '../lib/userId';

/** Everyone's latest orders, and the way to a user. */
export function OperatorOverviewPage() {
  const messages = useMessages();
  const [, navigate] = useLocation();
  const form = useForm({
    initialValues: { userId: '' },
    validate: { userId: (text) => (parseUserId(text) ? null : messages.user.invalidId) },
  });
  return (
    <Page title={messages.nav.overview}>
      <Stack gap="lg">
        <Panel title={messages.user.find}>
          <form
            noValidate
            onSubmit={form.onSubmit(({ userId }) => {
              const parsed = parseUserId(userId);
              if (parsed) navigate(`/users/${parsed}`);
            })}
          >
            <Group align="flex-start" gap="sm" wrap="nowrap" maw={480}>
              <TextInput
                flex={1}
                label={messages.user.id}
                placeholder={messages.user.idPlaceholder}
                inputMode="numeric"
                autoComplete="off"
                {...form.getInputProps('userId')}
              />
              <Button type="submit" mt={25}>
                {messages.user.open}
              </Button>
            </Group>
          </form>
        </Panel>
        <LatestOrders owner={null} viewer={null} allHref="/orders" />
      </Stack>
    </Page>
  );
}
