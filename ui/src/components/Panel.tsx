import { Card, Group, Title } from '@mantine/core';
import { useId, type ReactNode } from 'react';

interface PanelProps {
  title: string;
  aside?: ReactNode;
  children: ReactNode;
}

/** A titled card, a landmark by its title. */
export function Panel({ title, aside, children }: PanelProps) {
  const titleId = useId();
  return (
    <Card component="section" aria-labelledby={titleId}>
      <Group justify="space-between" mb="sm" wrap="nowrap">
        <Title order={2} size="h5" id={titleId}>
          {title}
        </Title>
        {aside}
      </Group>
      {children}
    </Card>
  );
}
