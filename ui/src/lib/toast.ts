import { notifications, type NotificationData } from '@mantine/notifications';
import { currentMessages } from './messages';

/** Tells something in a corner of the page for a few seconds. */
export function showToast(toast: NotificationData): void {
  notifications.show({ closeButtonProps: { 'aria-label': currentMessages().dismiss }, ...toast });
}
