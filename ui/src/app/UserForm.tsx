import { Button, Group, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { messages } from '../lib/messages';
import { parseUserId, type UserId } from '../lib/userId';

export function UserForm({ onPick }: { onPick: (userId: UserId) => void }) {
  const form = useForm({
    initialValues: { userId: '' },
    validate: { userId: (text) => (parseUserId(text) ? null : messages.user.invalidId) },
  });
  return (
    <form
      noValidate
      onSubmit={form.onSubmit(({ userId }) => {
        const parsed = parseUserId(userId);
        if (parsed) onPick(parsed);
      })}
    >
      <Group align="flex-start" gap="sm" wrap="nowrap">
        <TextInput
          flex={1}
          size="md"
          label={messages.user.id}
          placeholder={messages.user.idPlaceholder}
          inputMode="numeric"
          autoComplete="off"
          {...form.getInputProps('userId')}
        />
        <Button type="submit" size="md" mt={26}>
          {messages.user.open}
        </Button>
      </Group>
    </form>
  );
}
