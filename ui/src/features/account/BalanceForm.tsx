import { Button, Group, Stack } from '@mantine/core';
import { useForm } from '@mantine/form';
import { IconMinus, IconPlus } from '@tabler/icons-react';
import { useState, type SyntheticEvent } from 'react';
import { FormError } from '../../components/FormError';
import { MoneyInput } from '../../components/MoneyInput';
import { toFormErrors } from '../../lib/formErrors';
import { useMessages } from '../../lib/messages';
import { formatMoney } from '../../lib/money';
import { moneyFieldError, readMoneyField } from '../../lib/moneyField';
import type { UserId } from '../../lib/userId';
import type { BalanceDirection } from './accountApi';
import { useChangeBalance } from './accountQueries';
import { showToast } from '../../lib/toast';

/** Top-up and withdrawal. Enter in the field tops up. */
export function BalanceForm({ userId }: { userId: UserId }) {
  const messages = useMessages();
  const change = useChangeBalance(userId);
  const [formError, setFormError] = useState<string | null>(null);
  const form = useForm({
    initialValues: { amount: '' },
    validate: { amount: (text) => moneyFieldError(text) },
  });

  function submit(direction: BalanceDirection): void {
    if (change.isPending || form.validate().hasErrors) return;
    const input = readMoneyField(form.values.amount);
    if (!input.ok) return;
    setFormError(null);
    change.mutate(
      { direction, amount: input.value },
      {
        onSuccess: () => {
          form.reset();
          const shown = formatMoney(input.value, messages.locale);
          const { toppedUp, withdrawn } = messages.account;
          showToast({
            color: 'teal',
            message: direction === 'top_up' ? toppedUp(shown) : withdrawn(shown),
          });
        },
        onError: (error) => {
          const errors = toFormErrors(error, { balance_change: 'amount' }, 'amount');
          form.setErrors(errors.fields);
          setFormError(errors.form);
        },
      },
    );
  }

  const pendingDirection = change.isPending ? change.variables.direction : null;
  return (
    <form
      noValidate
      onSubmit={(event: SyntheticEvent) => {
        event.preventDefault();
        submit('top_up');
      }}
    >
      <Stack gap="sm">
        <MoneyInput label={messages.account.amount} {...form.getInputProps('amount')} />
        <FormError message={formError} />
        <Group grow>
          <Button
            type="submit"
            leftSection={<IconPlus size={16} aria-hidden />}
            loading={pendingDirection === 'top_up'}
            disabled={pendingDirection === 'withdraw'}
          >
            {messages.account.topUp}
          </Button>
          <Button
            type="button"
            variant="default"
            leftSection={<IconMinus size={16} aria-hidden />}
            loading={pendingDirection === 'withdraw'}
            disabled={pendingDirection === 'top_up'}
            onClick={() => submit('withdraw')}
          >
            {messages.account.withdraw}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
