import { messages } from './messages';
import { parseMoneyInput } from './money';

/** A form validator for amounts: the message to show, or null. */
export function moneyFieldError(
  text: string,
  options: { allowZero?: boolean } = {},
): string | null {
  const input = parseMoneyInput(text, options);
  return input.ok ? null : messages.money[input.problem];
}
