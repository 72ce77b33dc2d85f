import { Button, Container, Group, Text, UnstyledButton } from '@mantine/core';
import { IconArrowsExchange, IconShoppingBag } from '@tabler/icons-react';
import { ColorSchemeToggle } from '../components/ColorSchemeToggle';
import { messages } from '../lib/messages';
import type { UserId } from '../lib/userId';
import classes from './Header.module.css';
import { navigate } from './userLocation';

function goToStart(): void {
  navigate({ userId: null, tab: 'orders' });
}

export function Header({ userId }: { userId: UserId | null }) {
  return (
    <header className={classes.header}>
      <a className={classes.skip} href="#content">
        {messages.app.skipToContent}
      </a>
      <Container size="xl">
        <Group h={60} justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <UnstyledButton
              component="a"
              href="/"
              className={classes.home ?? ''}
              onClick={(event) => {
                if (event.metaKey || event.ctrlKey || event.shiftKey) return;
                event.preventDefault();
                goToStart();
              }}
            >
              <span className={classes.mark}>
                <IconShoppingBag size={20} aria-hidden />
              </span>
              <span className={classes.name}>{messages.app.name}</span>
            </UnstyledButton>
            <Text size="sm" c="dimmed" visibleFrom="sm">
              {messages.app.tagline}
            </Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            {userId !== null && (
              <Button
                variant="default"
                size="sm"
                leftSection={<IconArrowsExchange size={16} aria-hidden />}
                onClick={goToStart}
              >
                {messages.user.switchUser}
              </Button>
            )}
            <ColorSchemeToggle />
          </Group>
        </Group>
      </Container>
    </header>
  );
}
