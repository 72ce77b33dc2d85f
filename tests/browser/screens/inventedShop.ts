import type { Page, Route } from '@playwright/test';

/** What the pictures show: a shop in one of these states. */
export type State = 'busy' | 'empty' | 'away' | 'slow';

const NOW = Date.parse('2026-11-25T12:00:00Z');
const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();
const id = (n: number) => `01a2052e-87c7-725f-95d0-42306bb9${String(n).padStart(4, '0')}`;

const ORDERS = [
  ['Espresso machine, brushed steel', '1249.9', 'NEW', null],
  ['Two concert tickets', '178', 'FINISHED', null],
  ['Winter jacket', '329.5', 'FINISHED', null],
  ['Grand piano', '48000', 'CANCELLED', 'insufficient_funds'],
  ['Coffee beans, 1 kg', '24.9', 'FINISHED', null],
  [null, '5', 'FINISHED', null],
  [
    'A gift for someone with a very long description that has to wrap onto a second line',
    '61.25',
    'FINISHED',
    null,
  ],
  ['Bicycle bell', '12.3456', 'FINISHED', null],
  ['Desk lamp', '89', 'CANCELLED', 'insufficient_funds'],
  ['Notebook', '7.5', 'FINISHED', null],
] as const;

function order(index: number): string {
  const [description, amount, status, reason] = ORDERS[index % ORDERS.length] ?? ORDERS[0];
  return `{"id":"${id(index)}","user_id":${1 + (index % 3 === 2 ? 1 : 0)},"description":${JSON.stringify(description)},"amount":${amount},"status":"${status}","reason":${JSON.stringify(reason)},"created_at":"${ago(40 + index * 1900)}","updated_at":"${ago(40)}"}`;
}

const LEDGER = [
  ['payment', '-178', '1622.1', id(1)],
  ['payment', '-329.5', '1800.1', id(2)],
  ['top_up', '500', '2129.6', null],
  ['withdrawal', '-120.4', '1629.6', null],
  ['payment', '-24.9', '1750', id(4)],
  ['opening', '1774.9', '1774.9', null],
] as const;

const STEPS = [
  ['accepted', 0],
  ['task_published', 4.1],
  ['task_received', 9.8],
  ['paid', 18.4],
  ['outcome_published', 22.7],
  ['outcome_received', 29.3],
  ['finished', 36.9],
] as const;

function timeline(index: number): string {
  const status = ORDERS[index % ORDERS.length]?.[2];
  const names = {
    paid: status === 'CANCELLED' ? 'refused' : 'paid',
    finished: status === 'CANCELLED' ? 'cancelled' : 'finished',
  } as Record<string, string>;
  const steps = STEPS.slice(0, status === 'NEW' ? 3 : STEPS.length).map(
    ([step, ms]) =>
      `{"step":"${names[step] ?? step}","at":"${new Date(NOW + ms).toISOString()}","elapsed_ms":${ms}}`,
  );
  return `{"order_id":"${id(index)}","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","complete":${status !== 'NEW'},"steps":[${steps.join(',')}]}`;
}

let published = 18_240;

function pipeline(): string {
  published += 61;
  const leases = (owners: string[]) => owners.map((owner, bucket) => ({ bucket, owner, epoch: 3 }));
  return JSON.stringify({
    services: [
      {
        service: 'orders',
        available: true,
        status: {
          config: '0123456789abcdef',
          outboxes: {
            orders: {
              waitingFor: null,
              published,
              pendingRows: 37,
              oldestPendingAgeSeconds: 0.42,
              parkedKeys: 1,
              deadLetters: 2,
              relay: 'orders-7d9f',
              leases: leases([
                'orders-7d9f',
                'orders-7d9f',
                'orders-2c41',
                'orders-7d9f',
                'orders-2c41',
                'orders-2c41',
                'orders-7d9f',
                'orders-2c41',
              ]),
            },
          },
          inboxes: {
            'payment-status-updates': {
              waitingFor: null,
              ownedPartitions: 3,
              queued: 12,
              inFlight: 4,
              parkedKeys: 0,
              deadLetters: 0,
            },
          },
          horizon: [],
        },
      },
      {
        service: 'payments',
        available: true,
        status: {
          config: '0123456789abcdef',
          waitingFor: null,
          outboxes: {
            payments: {
              waitingFor: 'the broker: connection refused',
              published: 18_102,
              pendingRows: 240,
              oldestPendingAgeSeconds: 73,
              relay: 'payments-1',
              leases: leases(Array.from({ length: 8 }, () => 'payments-1')),
            },
          },
          inboxes: {
            'order-payment-tasks': {
              waitingFor: null,
              ownedPartitions: 3,
              queued: 0,
              inFlight: 0,
              parkedKeys: 2,
            },
          },
        },
      },
      { service: 'gateway', available: false, error: 'connection refused' },
    ],
  });
}

const DEAD_LETTERS = JSON.stringify({
  items: [
    {
      side: 'outbox',
      name: 'orders',
      id: '17',
      messageId: id(3),
      key: id(3),
      attempts: 10,
      reason: 'Message production error: MessageSizeTooLarge (Broker: Message size too large)',
      deadAt: ago(3600),
    },
    {
      side: 'outbox',
      name: 'orders',
      id: '41',
      messageId: id(5),
      key: id(5),
      attempts: 1,
      reason: 'headers are no object',
      deadAt: ago(120),
    },
  ],
  next_cursor: null,
});

function answer(path: string, state: State, operator: boolean): [number, string] {
  const empty = state === 'empty';
  const page = (items: string[], next: string | null = null) =>
    `{"items":[${items.join(',')}],"next":${JSON.stringify(next)}}`;
  const all = ORDERS.map((_, index) => order(index));
  if (path === '/auth/config') return [200, '{"mode":"demo"}'];
  if (path === '/auth/me' || path === '/auth/demo-token') {
    return [
      200,
      `{"token":"t","token_type":"Bearer","expires_in":3600,"expires_at":"2099-01-01T00:00:00Z","user_id":${operator ? 'null' : '1'},"operator":${operator}}`,
    ];
  }
  if (/^\/users\/\d+$/.test(path))
    return empty ? [404, '{}'] : [200, '{"user_id":1,"balance":1622.1}'];
  if (/^\/users\/\d+\/ledger$/.test(path)) {
    if (empty) return [404, '{}'];
    return [
      200,
      page(
        LEDGER.map(
          ([kind, amount, after, orderId], n) =>
            `{"id":${9 - n},"kind":"${kind}","amount":${amount},"balance_after":${after},"order_id":${JSON.stringify(orderId)},"created_at":"${ago(60 + n * 7000)}"}`,
        ),
      ),
    ];
  }
  if (/^\/orders(\/user\/\d+)?$/.test(path)) return [200, empty ? page([]) : page(all, 'older')];
  const one = /^\/orders\/.*?(\d{4})(\/timeline)?$/.exec(path);
  if (one && !empty) return [200, one[2] ? timeline(Number(one[1])) : order(Number(one[1]))];
  if (path === '/operator/pipeline') return [200, empty ? '{"services":[]}' : pipeline()];
  if (path.endsWith('/dead-letters'))
    return [200, empty ? '{"items":[],"next_cursor":null}' : DEAD_LETTERS];
  return [404, '{"title":"Not Found","status":404,"detail":"not found"}'];
}

/** Answers the page's calls instead of a gateway; for pictures of states that are hard to come by. */
export async function inventShop(
  page: Page,
  state: State,
  who: 'user' | 'operator' | 'nobody',
): Promise<void> {
  const operator = who === 'operator';
  if (who !== 'nobody') {
    await page.addInitScript((isOperator) => {
      sessionStorage.setItem(
        'session',
        JSON.stringify({
          token: 't',
          userId: isOperator ? null : '1',
          operator: isOperator,
          expiresAt: null,
          origin: 'demo',
        }),
      );
    }, operator);
  }
  await page.route('**/api/**', async (route: Route) => {
    const path = new URL(route.request().url()).pathname.replace(/^\/api/, '');
    if (state === 'slow' && !path.startsWith('/auth')) return;
    if (state === 'away')
      return route.fulfill({ status: 503, body: '{"title":"Service Unavailable","status":503}' });
    const [status, body] = answer(path, state, operator);
    await route.fulfill({ status, contentType: 'application/json', body });
  });
  await page.routeWebSocket('**/ws**', (socket) => {
    if (state === 'away') return void socket.close();
    socket.send('{"type":"hello","resumed":false,"heartbeat_seconds":15,"last_event_id":null}');
    if (state === 'busy' && !operator) {
      for (const n of [1, 3]) {
        const [, amount, status, reason] = ORDERS[n] ?? ORDERS[0];
        socket.send(
          JSON.stringify({
            type: 'order',
            id: `e${n}`,
            order_id: id(n),
            user_id: 1,
            status,
            reason,
            amount,
            at: ago(10 * n),
          }),
        );
      }
    }
  });
}
