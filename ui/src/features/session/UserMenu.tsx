import { Avatar, Menu, Text, UnstyledButton, VisuallyHidden } from '@mantine/core';
import { IconLogout } from '@tabler/icons-react';
import { useMessages } from '../../lib/messages';
import { sessions } from '../../lib/session';
import { useSession } from './useSession';

export function UserMenu() {
  const messages = useMessages();
  const { userId, operator } = useSession();
  const name = userId === null ? messages.user.operator : messages.user.heading(userId);
  return (
    <Menu position="bottom-end" width={220}>
      <Menu.Target>
        <UnstyledButton>
          <VisuallyHidden>{messages.user.menu(name)}</VisuallyHidden>
          <Avatar color={operator ? 'violet' : 'indigo'} radius="xl" size={36} aria-hidden>
            {userId === null ? 'OP' : userId.slice(-2)}
          </Avatar>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{messages.user.signedInAs}</Menu.Label>
        <Text px="sm" pb={6} fw={600} size="sm">
          {name}
        </Text>
        <Menu.Divider />
        <Menu.Item
          leftSection={<IconLogout size={16} aria-hidden />}
          onClick={() => sessions.end('left')}
        >
          {messages.user.signOut}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
