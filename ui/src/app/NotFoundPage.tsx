import { Button, Card } from '@mantine/core';
import { IconMapQuestion } from '@tabler/icons-react';
import { Link } from 'wouter';
import { EmptyState } from '../components/EmptyState';
import { Page } from '../components/Page';
import { useMessages } from '../lib/messages';

export function NotFoundPage() {
  const messages = useMessages();
  return (
    <Page title={messages.notFound.title}>
      <Card>
        <EmptyState
          icon={<IconMapQuestion size={24} />}
          title={messages.notFound.nothing}
          detail={messages.notFound.detail}
          action={
            <Button component={Link} href="/" variant="default">
              {messages.notFound.home}
            </Button>
          }
        />
      </Card>
    </Page>
  );
}
