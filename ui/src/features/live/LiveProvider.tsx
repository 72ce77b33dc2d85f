import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import { useEffect, useState, type ReactNode } from 'react';
import { sessions, type Session } from '../../lib/session';
import { refreshAccount } from '../account/accountQueries';
import { notices } from '../notices/noticeStore';
import { adoptStatus, findOrder, orderKey, PLACE_ORDER, readNewest } from '../orders/orderCache';
import { checkSession } from '../session/sessionApi';
import { useSession } from '../session/useSession';
import { Coalescer } from './coalesce';
import { LiveClient } from './liveClient';
import type { LiveEvent, OrderEvent } from './liveMessages';
import { LiveContext } from './useLive';

/** Under a flood of events, such as an operator's, things are read this often at most. */
const READ_EVERY_MS = 300;

type Reading = 'newest' | `order ${string}` | `account ${string}`;

/**
 * Keeps what is shown up to date by what the gateway tells. One person's: whoever is signed in next gets
 * another one, by its key.
 */
export function LiveProvider({ children }: { children: ReactNode }) {
  const session = useSession();
  const queries = useQueryClient();
  const [listener] = useState(() => new Listener(queries, session));
  const [client] = useState(
    () =>
      new LiveClient({
        url: liveUrl(window.location),
        token: () => sessions.token(),
        onEvent: (event) => listener.take(event),
        onResync: () => listener.takeAnew(),
        onRefused: checkSession,
      }),
  );
  useEffect(() => {
    client.start();
    return () => {
      client.stop();
      listener.stop();
    };
  }, [client, listener]);
  return <LiveContext value={client}>{children}</LiveContext>;
}

export function liveUrl({ protocol, host }: Pick<Location, 'protocol' | 'host'>): string {
  return `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/ws`;
}

/** Brings events into the query cache and the notices. */
export class Listener {
  readonly #queries: QueryClient;
  readonly #who: Pick<Session, 'userId' | 'operator'>;
  readonly #readings: Coalescer<Reading>;

  constructor(queries: QueryClient, who: Pick<Session, 'userId' | 'operator'>) {
    this.#queries = queries;
    this.#who = who;
    this.#readings = new Coalescer((keys) => this.#read(keys), READ_EVERY_MS);
  }

  take(event: LiveEvent): void {
    if (event.type === 'account') {
      this.#readings.ask(`account ${event.userId}`);
      return;
    }
    const { orderId, userId, status, reason } = event;
    if (!adoptStatus(this.#queries, { id: orderId, userId, status, reason })) {
      this.#readings.ask('newest');
    }
    this.#readings.ask(`order ${orderId}`);
    this.#notify(event);
  }

  takeAnew(): void {
    void this.#queries.invalidateQueries();
  }

  stop(): void {
    this.#readings.stop();
  }

  /** An operator hears of everyone's orders, which is no news for them one by one. */
  #notify({ orderId, userId, status, reason, amount, at }: OrderEvent): void {
    if (this.#who.operator || userId !== this.#who.userId) return;
    if (status !== 'FINISHED' && status !== 'CANCELLED') return;
    const order = findOrder(this.#queries, orderId);
    notices.add({
      orderId,
      outcome: status,
      amount,
      description: order?.description ?? null,
      reason,
      at,
    });
  }

  #read(keys: Reading[]): void {
    for (const key of keys) {
      const [what, id = ''] = key.split(' ');
      if (what === 'order') {
        void this.#queries.invalidateQueries({ queryKey: orderKey(id) });
      } else if (what === 'account') {
        void refreshAccount(this.#queries, id);
      } else if (this.#queries.isMutating({ mutationKey: PLACE_ORDER }) > 0) {
        // The order told of may be the one that is shown as being placed; soon it is known which.
        this.#readings.ask('newest');
      } else {
        // Failing is no loss: the listing is read again at the next event, or by polling.
        readNewest(this.#queries).catch(() => undefined);
      }
    }
  }
}
