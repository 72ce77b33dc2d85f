import { useSyncExternalStore } from 'react';
import { notices, type Notice } from './noticeStore';

export function useNotices(): readonly Notice[] {
  return useSyncExternalStore(notices.subscribe, notices.current);
}
