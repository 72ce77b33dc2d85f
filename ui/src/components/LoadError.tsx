import { Alert, Button, Stack, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { describeError } from '../lib/formErrors';
import { useMessages } from '../lib/messages';

interface LoadErrorProps {
  title: string;
  error: unknown;
  onRetry: () => void;
}

export function LoadError({ title, error, onRetry }: LoadErrorProps) {
  const messages = useMessages();
  return (
    <Alert color="red" title={title} icon={<IconAlertTriangle aria-hidden />}>
      <Stack gap="sm" align="flex-start">
        <Text size="sm">{describeError(error)}</Text>
        <Button size="xs" color="red" variant="light" onClick={onRetry}>
          {messages.errors.retry}
        </Button>
      </Stack>
    </Alert>
  );
}
