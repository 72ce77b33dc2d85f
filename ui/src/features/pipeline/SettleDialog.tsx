import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { FormError } from '../../components/FormError';
import { describeError } from '../../lib/formErrors';
import { useMessages } from '../../lib/messages';
import type { DeadLetter, Decision } from './pipelineApi';
import { useSettleDeadLetter } from './pipelineQueries';
import { showToast } from '../../lib/toast';

interface SettleDialogProps {
  service: string;
  /** What is to be decided; null keeps the dialog closed. */
  asked: { letter: DeadLetter; decision: Decision } | null;
  onClose: () => void;
}

/** A decision about a message cannot be taken back, so it is asked for twice. */
export function SettleDialog({ service, asked, onClose }: SettleDialogProps) {
  const messages = useMessages();
  const settle = useSettleDeadLetter(service);
  const close = () => {
    settle.reset();
    onClose();
  };
  const skipping = asked?.decision === 'skip';
  return (
    <Modal
      opened={asked !== null}
      onClose={close}
      centered
      title={skipping ? messages.deadLetters.skipTitle : messages.deadLetters.retryTitle}
      closeButtonProps={{ 'aria-label': messages.dismiss }}
    >
      {asked !== null && (
        <Stack gap="md">
          <Text size="sm">
            {skipping ? messages.deadLetters.skipDetail : messages.deadLetters.retryDetail}
          </Text>
          <Text size="sm" fw={600} style={{ overflowWrap: 'anywhere' }}>
            {asked.letter.name} · {asked.letter.id}
          </Text>
          <FormError message={settle.isError ? describeError(settle.error) : null} />
          <Group justify="flex-end">
            <Button variant="default" onClick={close} data-autofocus>
              {messages.cancel}
            </Button>
            <Button
              color={skipping ? 'red' : 'indigo'}
              loading={settle.isPending}
              onClick={() =>
                settle.mutate(asked, {
                  onSuccess: ({ settled, gone }) => {
                    showToast({
                      color: settled > 0 ? 'teal' : 'orange',
                      message:
                        settled === 0
                          ? gone > 0
                            ? messages.deadLetters.gone
                            : messages.deadLetters.already
                          : skipping
                            ? messages.deadLetters.skipped
                            : messages.deadLetters.retried,
                    });
                    close();
                  },
                })
              }
            >
              {skipping ? messages.deadLetters.skip : messages.deadLetters.retry}
            </Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}
