import type { Money } from '../../lib/money';

/** Something that happened without the person's doing, kept until it falls off the end of the list. */
export interface Notice {
  /** What it is about and how that ended: the same is told once, however often it is heard. */
  id: string;
  orderId: string;
  outcome: 'FINISHED' | 'CANCELLED';
  amount: Money | null;
  description: string | null;
  reason: string | null;
  at: string;
  read: boolean;
}

export type NewNotice = Omit<Notice, 'id' | 'read'>;

/** Older ones are forgotten. */
export const KEPT_NOTICES = 50;

const STORAGE_KEY = 'notices';

/** The notices of whoever is signed in in this tab, newest first; a reload keeps them. */
export class NoticeStore {
  readonly #listeners = new Set<() => void>();
  readonly #heardBy = new Set<(notice: Notice) => void>();
  #owner: string | null = null;
  #notices: readonly Notice[] = [];

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly current = (): readonly Notice[] => this.#notices;

  /** Calls for every new notice, once. */
  onNew(listener: (notice: Notice) => void): () => void {
    this.#heardBy.add(listener);
    return () => this.#heardBy.delete(listener);
  }

  /** Shows this person's notices and nobody else's. */
  openFor(owner: string): void {
    if (owner === this.#owner) return;
    this.#owner = owner;
    this.#notices = readStored(owner);
    this.#listeners.forEach((listener) => listener());
  }

  add(notice: NewNotice): void {
    const id = `${notice.orderId} ${notice.outcome}`;
    if (this.#notices.some((known) => known.id === id)) return;
    const added: Notice = { ...notice, id, read: false };
    this.#become([added, ...this.#notices].slice(0, KEPT_NOTICES));
    this.#heardBy.forEach((listener) => listener(added));
  }

  markRead(id: string): void {
    if (!this.#notices.some((notice) => notice.id === id && !notice.read)) return;
    this.#become(
      this.#notices.map((notice) => (notice.id === id ? { ...notice, read: true } : notice)),
    );
  }

  markAllRead(): void {
    if (this.#notices.every((notice) => notice.read)) return;
    this.#become(this.#notices.map((notice) => ({ ...notice, read: true })));
  }

  clear(): void {
    this.#become([]);
  }

  #become(notices: readonly Notice[]): void {
    this.#notices = notices;
    try {
      sessionStorage.setItem(STORAGE_KEY, JSON.stringify({ owner: this.#owner, notices }));
    } catch {
      // Without storage they last until the page is left.
    }
    this.#listeners.forEach((listener) => listener());
  }
}

export function unreadCount(notices: readonly Notice[]): number {
  return notices.filter((notice) => !notice.read).length;
}

function readStored(owner: string): readonly Notice[] {
  try {
    const stored = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? 'null') as {
      owner?: unknown;
      notices?: unknown;
    } | null;
    if (stored?.owner !== owner || !Array.isArray(stored.notices)) return [];
    return stored.notices.filter(isNotice).slice(0, KEPT_NOTICES);
  } catch {
    return [];
  }
}

function isNotice(value: unknown): value is Notice {
  if (typeof value !== 'object' || value === null) return false;
  const { id, orderId, outcome, at, read } = value as Record<string, unknown>;
  return (
    [id, orderId, at].every((member) => typeof member === 'string') &&
    (outcome === 'FINISHED' || outcome === 'CANCELLED') &&
    typeof read === 'boolean'
  );
}

export const notices = new NoticeStore();
