import { beforeEach, describe, expect, it } from 'vitest';
import { KEPT_NOTICES, NoticeStore, unreadCount, type NewNotice } from './noticeStore';

function settled(orderId: string, outcome: 'FINISHED' | 'CANCELLED' = 'FINISHED'): NewNotice {
  return {
    orderId,
    outcome,
    amount: null,
    description: 'Mug',
    reason: null,
    at: '2026-11-25T12:00:00Z',
  };
}

let store: NoticeStore;

beforeEach(() => {
  store = new NoticeStore();
  store.openFor('user 1');
});

describe('notices', () => {
  it('are told of once, however often the same is heard', () => {
    const heard: string[] = [];
    store.onNew(({ orderId }) => heard.push(orderId));
    store.add(settled('a'));
    store.add(settled('a'));
    store.add(settled('b', 'CANCELLED'));
    expect(heard).toEqual(['a', 'b']);
    expect(store.current().map(({ orderId }) => orderId)).toEqual(['b', 'a']);
  });

  it('count as unread until they are read, one by one or all', () => {
    ['a', 'b', 'c'].forEach((id) => store.add(settled(id)));
    store.markRead(store.current()[0]?.id ?? '');
    expect(unreadCount(store.current())).toBe(2);
    store.markAllRead();
    expect(unreadCount(store.current())).toBe(0);
  });

  it('forget the oldest', () => {
    for (let index = 0; index <= KEPT_NOTICES; index += 1) store.add(settled(`o-${index}`));
    expect(store.current()).toHaveLength(KEPT_NOTICES);
    expect(store.current().at(-1)?.orderId).toBe('o-1');
  });

  it('survive a reload, and are not shown to somebody else', () => {
    store.add(settled('a'));
    const reloaded = new NoticeStore();
    reloaded.openFor('user 1');
    expect(reloaded.current()).toHaveLength(1);
    reloaded.openFor('user 2');
    expect(reloaded.current()).toEqual([]);
  });

  it('start empty from a storage that holds something else', () => {
    sessionStorage.setItem('notices', '{"owner":"user 1","notices":[{"id":1},null]}');
    const reloaded = new NoticeStore();
    reloaded.openFor('user 1');
    expect(reloaded.current()).toEqual([]);
  });
});
