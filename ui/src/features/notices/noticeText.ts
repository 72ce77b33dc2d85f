import { currentMessages } from '../../lib/messages';
import { formatMoney } from '../../lib/money';
import { shortId } from '../../lib/shortId';
import type { Messages } from '../../locales/en';
import { reasonText } from '../orders/reasonText';
import type { Notice } from './noticeStore';

export function noticeTitle(notice: Notice, messages: Messages = currentMessages()): string {
  return notice.outcome === 'FINISHED'
    ? messages.orders.finishedToast
    : messages.orders.cancelledToast;
}

/** What it is about, in one line: description or number, amount, reason. */
export function noticeDetail(notice: Notice, messages: Messages = currentMessages()): string {
  return [
    notice.description ?? `#${shortId(notice.orderId)}`,
    notice.amount === null ? null : formatMoney(notice.amount, messages.locale),
    notice.outcome === 'CANCELLED' ? reasonText(notice.reason, messages) : null,
  ]
    .filter((part) => part !== null)
    .join(' · ');
}
