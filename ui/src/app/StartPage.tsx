import { Button, Card, Group, Stack, Text, Title } from '@mantine/core';
import { IconUser } from '@tabler/icons-react';
import { useState } from 'react';
import { LatestOrders } from '../features/orders/LatestOrders';
import { messages } from '../lib/messages';
import type { UserId } from '../lib/userId';
import { recentUsers } from './recentUsers';
import { UserForm } from './UserForm';
import { navigate } from './userLocation';

function open(userId: UserId): void {
  navigate({ userId, tab: 'orders' });
}

export function StartPage() {
  const [recent] = useState(recentUsers);
  return (
    <Stack gap="lg" maw={760} mx="auto" py={{ base: 0, sm: 'lg' }}>
      <Card padding="xl">
        <Stack gap="lg">
          <div>
            <Title order={1} size="h3" mb={6}>
              {messages.user.pick}
            </Title>
            <Text c="dimmed" size="sm">
              {messages.user.pickDetail}
            </Text>
          </div>
          <UserForm onPick={open} />
          {recent.length > 0 && (
            <nav aria-label={messages.user.recent}>
              <Text size="sm" fw={500} mb="xs">
                {messages.user.recent}
              </Text>
              <Group gap="xs">
                {recent.map((userId) => (
                  <Button
                    key={userId}
                    variant="default"
                    size="xs"
                    leftSection={<IconUser size={14} aria-hidden />}
                    onClick={() => open(userId)}
                  >
                    {messages.user.heading(userId)}
                  </Button>
                ))}
              </Group>
            </nav>
          )}
        </Stack>
      </Card>
      <LatestOrders />
    </Stack>
  );
}
