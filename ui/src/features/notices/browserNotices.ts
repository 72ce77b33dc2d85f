import { noticeDetail, noticeTitle } from './noticeText';
import type { Notice } from './noticeStore';

const STORAGE_KEY = 'browser-notices';

/**
 * - `unsupported`: this browser has none (or not on this address);
 * - `blocked`: the person has forbidden them in the browser;
 * - `off` and `on`: the person's wish here.
 */
export type BrowserNoticeState = 'unsupported' | 'blocked' | 'off' | 'on';

export function browserNoticeState(): BrowserNoticeState {
  if (!('Notification' in window)) return 'unsupported';
  if (Notification.permission === 'denied') return 'blocked';
  if (Notification.permission !== 'granted') return 'off';
  try {
    return localStorage.getItem(STORAGE_KEY) === 'on' ? 'on' : 'off';
  } catch {
    return 'off';
  }
}

/** Asks the person, by the browser, the first time. Only upon a click: browsers refuse otherwise. */
export async function switchBrowserNotices(on: boolean): Promise<BrowserNoticeState> {
  if (on && 'Notification' in window) await Notification.requestPermission();
  try {
    localStorage.setItem(STORAGE_KEY, on ? 'on' : 'off');
  } catch {
    // Without storage they stay off.
  }
  return browserNoticeState();
}

/** Tells outside the page, if that is wanted and nobody is looking at the page. */
export function showBrowserNotice(notice: Notice, open: () => void): void {
  if (browserNoticeState() !== 'on' || document.visibilityState === 'visible') return;
  try {
    const shown = new Notification(noticeTitle(notice), {
      body: noticeDetail(notice),
      // Two windows of one person tell of it once.
      tag: notice.id,
      icon: '/favicon.svg',
    });
    shown.onclick = () => {
      window.focus();
      open();
      shown.close();
    };
  } catch {
    // Some mobile browsers have the class and refuse to construct it.
  }
}
