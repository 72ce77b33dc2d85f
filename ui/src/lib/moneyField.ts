import { currentMessages } from './messages';
import { parseMoneyInput, type MoneyInput } from './money';

/** What was typed into an amount's field, by the rules of the reader's language. */
export function readMoneyField(text: string, options: { allowZero?: boolean } = {}): MoneyInput {
  return parseMoneyInput(text, { ...options, decimalComma: currentMessages().decimalComma });
}

/** A form validator for amounts: the message to show, or null. */
export function moneyFieldError(
  text: string,
  options: { allowZero?: boolean } = {},
): string | null {
  const input = readMoneyField(text, options);
  return input.ok ? null : currentMessages().money[input.problem];
}
