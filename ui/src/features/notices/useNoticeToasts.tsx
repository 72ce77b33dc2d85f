import { Anchor } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useEffect, useRef } from 'react';
import { Link, useLocation } from 'wouter';
import { currentMessages } from '../../lib/messages';
import { showBrowserNotice } from './browserNotices';
import { notices, type Notice } from './noticeStore';
import { noticeDetail, noticeTitle } from './noticeText';
import { showToast } from '../../lib/toast';

/** More than this many within a moment are told of in one toast. */
const SINGLE_TOASTS = 3;
const MOMENT_MS = 1500;

/** Tells of every new notice: on the page, and outside it if wanted. */
export function useNoticeToasts(): void {
  const [, navigate] = useLocation();
  const recent = useRef<Notice[]>([]);
  useEffect(() => {
    let moment: ReturnType<typeof setTimeout> | undefined;
    const stop = notices.onNew((notice) => {
      clearTimeout(moment);
      moment = setTimeout(() => {
        recent.current = [];
      }, MOMENT_MS);
      recent.current.push(notice);
      if (recent.current.length > SINGLE_TOASTS) showManyToast(recent.current);
      else showNoticeToast(notice);
      showBrowserNotice(notice, () => navigate(`/orders/${notice.orderId}`));
    });
    return () => {
      clearTimeout(moment);
      stop();
    };
  }, [navigate]);
}

function showNoticeToast(notice: Notice): void {
  showToast({
    id: notice.id,
    color: notice.outcome === 'FINISHED' ? 'teal' : 'red',
    title: noticeTitle(notice),
    message: (
      <Anchor component={Link} href={`/orders/${notice.orderId}`} size="sm" c="dimmed">
        {noticeDetail(notice)}
      </Anchor>
    ),
  });
}

function showManyToast(many: readonly Notice[]): void {
  const messages = currentMessages();
  const finished = many.filter((notice) => notice.outcome === 'FINISHED').length;
  const toast = {
    id: 'many-settled',
    color: 'blue',
    title: messages.orders.manySettledToast,
    message: messages.orders.manySettled(finished, many.length - finished),
  };
  if (many.length === SINGLE_TOASTS + 1) {
    many.forEach((notice) => notifications.hide(notice.id));
    showToast(toast);
  } else {
    notifications.update(toast);
  }
}
