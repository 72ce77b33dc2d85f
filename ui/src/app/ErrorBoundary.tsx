import { Button, Center, Stack, Text, Title } from '@mantine/core';
import { Component, type ReactNode } from 'react';
import { currentMessages } from '../lib/messages';

/** The last resort against a blank page. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    const messages = currentMessages();
    return (
      <Center component="main" mih="100vh" p="md">
        <Stack align="center" role="alert">
          <Title order={1} size="h3">
            {messages.app.crashed}
          </Title>
          <Text c="dimmed">{messages.app.crashedDetail}</Text>
          <Button onClick={() => window.location.reload()}>{messages.app.reload}</Button>
        </Stack>
      </Center>
    );
  }
}
