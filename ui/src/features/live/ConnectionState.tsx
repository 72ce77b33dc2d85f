import { Group, Text } from '@mantine/core';
import { useMessages } from '../../lib/messages';
import classes from './ConnectionState.module.css';
import { useLiveState } from './useLive';

/** Whether changes arrive by themselves; in words, and told to screen readers when it changes. */
export function ConnectionState() {
  const messages = useMessages();
  const state = useLiveState();
  return (
    <Group gap={6} wrap="nowrap" role="status" title={messages.live.detail[state]}>
      <span className={classes.dot} data-state={state} aria-hidden />
      <Text span size="xs" c="dimmed" className={classes.text ?? ''}>
        {messages.live.state[state]}
      </Text>
    </Group>
  );
}
