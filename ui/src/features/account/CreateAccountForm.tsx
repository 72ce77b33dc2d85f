import { Button, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { FormError } from '../../components/FormError';
import { MoneyInput } from '../../components/MoneyInput';
import { toFormErrors } from '../../lib/formErrors';
import { useMessages } from '../../lib/messages';
import { moneyFieldError, readMoneyField } from '../../lib/moneyField';
import type { UserId } from '../../lib/userId';
import { useCreateAccount } from './accountQueries';
import { showToast } from '../../lib/toast';

/** An empty opening balance means zero. */
function orZero(text: string): string {
  return text.trim() === '' ? '0' : text;
}

export function CreateAccountForm({ userId }: { userId: UserId }) {
  const messages = useMessages();
  const create = useCreateAccount(userId);
  const [formError, setFormError] = useState<string | null>(null);
  const form = useForm({
    initialValues: { balance: '' },
    validate: { balance: (text) => moneyFieldError(orZero(text), { allowZero: true }) },
  });

  const submit = form.onSubmit(({ balance }) => {
    const input = readMoneyField(orZero(balance), { allowZero: true });
    if (!input.ok || create.isPending) return;
    setFormError(null);
    create.mutate(input.value, {
      onSuccess: () => {
        showToast({ color: 'teal', message: messages.account.created });
      },
      onError: (error) => {
        const errors = toFormErrors(error, { balance: 'balance' });
        form.setErrors(errors.fields);
        setFormError(errors.form);
      },
    });
  });

  return (
    <form noValidate onSubmit={submit}>
      <Stack gap="sm">
        <MoneyInput
          label={messages.account.openingBalance}
          description={messages.account.openingBalanceDetail}
          {...form.getInputProps('balance')}
        />
        <FormError message={formError} />
        <Button type="submit" loading={create.isPending}>
          {messages.account.create}
        </Button>
      </Stack>
    </form>
  );
}
