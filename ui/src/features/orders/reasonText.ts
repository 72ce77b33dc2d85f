import type { Messages } from '../../locales/en';

/** Why an order was cancelled, in words; null when there is nothing to say. */
export function reasonText(reason: string | null, messages: Messages): string | null {
  if (reason === null) return null;
  return messages.orders.reason[reason] ?? reason;
}
