import { expect, test } from '@playwright/test';
import { newUser, tokenFor } from '../system/shop';

const ORDERS = Number(process.env.ORDERS ?? 200);

/** From the POST to the pushed FINISHED, as a browser sees it; one order at a time. */
test('the time from POST to the pushed FINISHED', async ({ page, request }) => {
  const user = newUser();
  const token = await tokenFor(request, user);
  const opened = await request.post('/api/users', {
    headers: { authorization: `Bearer ${token}` },
    data: { user_id: Number(user), balance: 1_000_000 },
  });
  expect(opened.status()).toBe(201);
  await page.goto('/');
  const times = await page.evaluate(
    async ({ token, user, orders }) => {
      const socket = new WebSocket(`ws://${location.host}/ws`, ['shop.v1', `bearer.${token}`]);
      const finished = new Map<string, number>();
      let heard = () => {};
      let greeted = () => {};
      const hello = new Promise<void>((resolve) => (greeted = resolve));
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data as string) as {
          type: string;
          order_id: string;
          status: string;
        };
        if (message.type === 'hello') greeted();
        if (message.type === 'ping') socket.send('{"type":"pong"}');
        if (message.type !== 'order' || message.status !== 'FINISHED') return;
        finished.set(message.order_id, performance.now());
        heard();
      };
      await hello;
      const times: number[] = [];
      for (let n = 0; n < orders; n += 1) {
        const begun = performance.now();
        const answer = await fetch('/api/orders', {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: `{"user_id":${user},"amount":1}`,
        });
        const { id } = (await answer.json()) as { id: string };
        while (!finished.has(id)) await new Promise<void>((resolve) => (heard = resolve));
        times.push((finished.get(id) ?? 0) - begun);
      }
      socket.close();
      return times;
    },
    { token, user, orders: ORDERS },
  );
  const sorted = times.toSorted((left, right) => left - right);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
  console.log(
    `${ORDERS} orders, one at a time, POST to pushed FINISHED: ` +
      `median ${at(0.5)?.toFixed(1)} ms, p99 ${at(0.99)?.toFixed(1)} ms, most ${at(1)?.toFixed(1)} ms`,
  );
  expect(sorted).toHaveLength(ORDERS);
});
