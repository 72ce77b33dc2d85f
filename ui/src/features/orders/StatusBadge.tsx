import { Badge, type MantineColor, type MantineSize } from '@mantine/core';
import { IconCircleCheck, IconCircleX, IconClockHour4 } from '@tabler/icons-react';
import { useMessages } from '../../lib/messages';

const COLORS: Record<string, MantineColor> = {
  PLACING: 'gray',
  NEW: 'blue',
  PENDING_PAYMENT: 'yellow',
  FINISHED: 'teal',
  CANCELLED: 'red',
};

/** Tells by words and shape as well as by colour. */
export function StatusBadge({ status, size = 'md' }: { status: string; size?: MantineSize }) {
  const messages = useMessages();
  return (
    <Badge
      variant="light"
      size={size}
      color={COLORS[status] ?? 'gray'}
      leftSection={<StatusIcon status={status} />}
    >
      {messages.orders.status[status] ?? status}
    </Badge>
  );
}

function StatusIcon({ status }: { status: string }) {
  if (status === 'FINISHED') return <IconCircleCheck size={14} aria-hidden />;
  if (status === 'CANCELLED') return <IconCircleX size={14} aria-hidden />;
  return <IconClockHour4 size={14} aria-hidden />;
}
