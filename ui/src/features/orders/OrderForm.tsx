import { Button, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { FormError } from '../../components/FormError';
import { MoneyInput } from '../../components/MoneyInput';
import { Panel } from '../../components/Panel';
import { toFormErrors } from '../../lib/formErrors';
import { useMessages } from '../../lib/messages';
import { compareMoney, type Money } from '../../lib/money';
import { moneyFieldError, readMoneyField } from '../../lib/moneyField';
import type { UserId } from '../../lib/userId';
import { MAX_DESCRIPTION } from './orderApi';
import { usePlaceOrder } from './orderQueries';

interface OrderFormProps {
  userId: UserId;
  /** Null while unknown or without an account. */
  balance: Money | null;
}

export function OrderForm({ userId, balance }: OrderFormProps) {
  const messages = useMessages();
  const place = usePlaceOrder(userId);
  const [formError, setFormError] = useState<string | null>(null);
  const form = useForm({
    initialValues: { amount: '', description: '' },
    validate: {
      amount: (text) => moneyFieldError(text),
      // Code points, as the server counts them.
      description: (text) =>
        Array.from(text.trim()).length > MAX_DESCRIPTION
          ? messages.orders.descriptionTooLong(MAX_DESCRIPTION)
          : null,
    },
  });

  const submit = form.onSubmit(({ amount, description }) => {
    const input = readMoneyField(amount);
    if (!input.ok || place.isPending) return;
    setFormError(null);
    place.mutate(
      { amount: input.value, description: description.trim() },
      {
        onSuccess: () => form.reset(),
        onError: (error) => {
          const errors = toFormErrors(error, { amount: 'amount', description: 'description' });
          form.setErrors(errors.fields);
          setFormError(errors.form);
        },
      },
    );
  });

  return (
    <Panel title={messages.orders.place}>
      <form noValidate onSubmit={submit}>
        <Stack gap="sm">
          <MoneyInput
            label={messages.orders.amount}
            required
            withAsterisk={false}
            {...form.getInputProps('amount')}
          />
          <TextInput
            label={messages.orders.description}
            placeholder={messages.orders.descriptionPlaceholder}
            description={messages.orders.descriptionDetail}
            autoComplete="off"
            {...form.getInputProps('description')}
          />
          {isAbove(form.values.amount, balance) && (
            <Text size="sm" c="dimmed" role="status">
              {messages.orders.aboveBalance}
            </Text>
          )}
          <FormError message={formError} />
          <Button type="submit" loading={place.isPending}>
            {messages.orders.submit}
          </Button>
        </Stack>
      </form>
    </Panel>
  );
}

function isAbove(text: string, balance: Money | null): boolean {
  const input = readMoneyField(text);
  return balance !== null && input.ok && compareMoney(input.value, balance) > 0;
}
