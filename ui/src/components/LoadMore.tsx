import { Button, Group, Stack, Text } from '@mantine/core';
import { useMessages } from '../lib/messages';

interface LoadMoreProps {
  hasMore: boolean;
  loading: boolean;
  failed: boolean;
  onLoadMore: () => void;
}

/** The foot of a paged listing. */
export function LoadMore({ hasMore, loading, failed, onLoadMore }: LoadMoreProps) {
  const messages = useMessages();
  if (!hasMore) return null;
  return (
    <Stack gap="xs" align="center" pt="md">
      {failed && (
        <Text size="sm" c="red" role="alert">
          {messages.loadMoreFailed}
        </Text>
      )}
      <Group justify="center">
        <Button variant="default" loading={loading} onClick={onLoadMore}>
          {messages.orders.loadMore}
        </Button>
      </Group>
    </Stack>
  );
}
