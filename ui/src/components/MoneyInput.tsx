import { TextInput, type TextInputProps } from '@mantine/core';
import { useMessages } from '../lib/messages';

/** A text field on purpose: a number field would turn the amount into a float. */
export function MoneyInput(props: TextInputProps) {
  const messages = useMessages();
  return (
    <TextInput
      inputMode="decimal"
      autoComplete="off"
      placeholder={messages.money.placeholder}
      {...props}
    />
  );
}
