import { Alert, Button, Group, Text } from '@mantine/core';
import { IconPlugConnectedX } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { useMessages } from '../lib/messages';
import { outages, type Outage } from '../lib/outage';
import type { Messages } from '../locales/en';

/** Says that the gateway or a service is away; queries keep retrying by themselves meanwhile. */
export function OutageBanner() {
  const messages = useMessages();
  const outage = useSyncExternalStore(outages.subscribe, outages.current);
  const client = useQueryClient();
  if (outage === null) return null;
  return (
    <Alert
      color="orange"
      variant="light"
      mb="md"
      title={messages.outage.title}
      icon={<IconPlugConnectedX aria-hidden />}
    >
      <Group justify="space-between" gap="sm">
        <Text size="sm">
          {outageText(outage, messages)} {messages.outage.retrying}
        </Text>
        <Button
          size="xs"
          variant="default"
          onClick={() => void client.refetchQueries({ type: 'active' })}
        >
          {messages.outage.retryNow}
        </Button>
      </Group>
    </Alert>
  );
}

function outageText(outage: NonNullable<Outage>, messages: Messages): string {
  const [service, another] = outage.kind === 'service' ? outage.services : [];
  if (service === undefined || another !== undefined) return messages.outage.network;
  return messages.outage.service[service];
}
