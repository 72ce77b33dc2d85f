import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import {
  connectionLost,
  FakeGateway,
  ok,
  orderJson,
  pageJson,
  problem,
  type Answer,
} from '../test/fakeGateway';
import { renderApp } from '../test/renderApp';

const account = (balance: string) => ok(`{"user_id":1,"balance":${balance}}`);
const noOrders = ok(pageJson([]));

/** Takes the answers in turn and stays with the last. */
function inTurn(...answers: Answer[]): () => Answer {
  let next = 0;
  return () => answers[Math.min(next++, answers.length - 1)] ?? connectionLost;
}

describe('picking a user', () => {
  it('refuses what is no id, then opens the user and keeps it in the address', async () => {
    new FakeGateway({
      'GET /orders': () => ok(pageJson([orderJson({ id: 'o-1', status: 'FINISHED' })])),
      'GET /users/7': () => problem(404, 'none'),
      'GET /orders/user/7': () => noOrders,
    });
    const user = userEvent.setup();
    renderApp('/');
    expect(await screen.findByRole('listitem')).toHaveTextContent(/Mug.*User 1/);
    await user.type(screen.getByLabelText('User ID'), '0{Enter}');
    expect(screen.getByLabelText('User ID')).toHaveAccessibleDescription(/greater than zero/);
    await user.clear(screen.getByLabelText('User ID'));
    await user.type(screen.getByLabelText('User ID'), '7{Enter}');
    expect(await screen.findByRole('heading', { name: 'User 7' })).toBeVisible();
    expect(window.location.search).toBe('?user=7');
    await user.click(screen.getByRole('button', { name: 'Switch user' }));
    expect(await screen.findByRole('button', { name: 'User 7' })).toBeVisible();
  });
});

describe('account', () => {
  it('shows and sends amounts digit for digit', async () => {
    const gateway = new FakeGateway({
      'GET /users/1': () => account('999999999999999.9998'),
      'PATCH /users/1': () => account('999999999999999.9999'),
      'GET /orders/user/1': () => noOrders,
    });
    const user = userEvent.setup();
    renderApp('/?user=1');
    expect(await screen.findByText('999,999,999,999,999.9998')).toBeVisible();
    await user.type(screen.getByLabelText('Amount to add or withdraw'), '0.0001');
    await user.click(screen.getByRole('button', { name: 'Top up' }));
    expect(await screen.findByText('999,999,999,999,999.9999')).toBeVisible();
    expect(gateway.callsTo('PATCH /users/1')[0]?.body).toBe('{"balance_change":0.0001}');
  });

  it('says next to the field why a withdrawal was refused', async () => {
    const gateway = new FakeGateway({
      'GET /users/1': () => account('5'),
      'PATCH /users/1': () =>
        problem(400, 'Insufficient funds', [
          { field: 'balance_change', detail: 'the balance does not cover the amount' },
        ]),
      'GET /orders/user/1': () => noOrders,
    });
    const user = userEvent.setup();
    renderApp('/?user=1');
    const field = await screen.findByLabelText('Amount to add or withdraw');
    await user.type(field, '10');
    await user.click(screen.getByRole('button', { name: 'Withdraw' }));
    await waitFor(() => expect(field).toHaveAccessibleDescription(/does not cover/));
    expect(field).toBeInvalid();
    expect(gateway.callsTo('PATCH /users/1')[0]?.body).toBe('{"balance_change":-10}');
  });

  it('is created with an opening balance when there is none', async () => {
    const gateway = new FakeGateway({
      'GET /users/1': () => problem(404, 'Account not found'),
      'POST /users': () => ({ status: 201, body: '{"id":"x","user_id":1,"balance":1400.5}' }),
      'GET /orders/user/1': () => noOrders,
    });
    const user = userEvent.setup();
    renderApp('/?user=1');
    await user.type(await screen.findByLabelText('Opening balance'), '1400.50');
    await user.click(screen.getByRole('button', { name: 'Create account' }));
    expect(await screen.findByText('1,400.50')).toBeVisible();
    expect(gateway.callsTo('POST /users')[0]?.body).toBe('{"user_id":1,"balance":1400.5}');
  });

  it('lists its movements', async () => {
    new FakeGateway({
      'GET /users/1': () => account('95'),
      'GET /orders/user/1': () => noOrders,
      'GET /users/1/ledger': () =>
        ok(
          pageJson([
            '{"id":2,"kind":"payment","amount":-5.0000,"balance_after":95.0000,"order_id":"01a20510-5b8e-71d3-8615-1173abcd1234","created_at":"2026-11-22T12:00:00Z"}',
            '{"id":1,"kind":"opening","amount":100.0000,"balance_after":100.0000,"order_id":null,"created_at":"2026-11-22T11:00:00Z"}',
          ]),
        ),
    });
    renderApp('/?user=1&tab=ledger');
    const table = await screen.findByRole('table', { name: 'Account ledger' });
    const [, payment, opening] = within(table).getAllByRole('row');
    expect(payment).toHaveTextContent(/Payment.*Order abcd1234.*\u22125\.00.*95\.00/);
    expect(opening).toHaveTextContent(/Opening balance.*\+100\.00.*100\.00/);
  });
});

describe('orders', () => {
  it('are checked before they are sent', async () => {
    const gateway = new FakeGateway({
      'GET /users/1': () => account('5'),
      'GET /orders/user/1': () => noOrders,
    });
    const user = userEvent.setup();
    renderApp('/?user=1');
    await screen.findByText('No orders yet');
    await user.click(screen.getByRole('button', { name: 'Place order' }));
    const field = screen.getByLabelText('Order amount');
    expect(field).toHaveAccessibleDescription('Enter an amount');
    await user.type(field, '0.00001');
    await user.click(screen.getByRole('button', { name: 'Place order' }));
    expect(field).toHaveAccessibleDescription('Use at most four decimals');
    expect(gateway.callsTo('POST /orders')).toEqual([]);
  });

  it('settle on the screen by themselves, once told, and the balance follows', async () => {
    const gateway = new FakeGateway({
      'GET /users/1': inTurn(account('20'), account('15')),
      'GET /orders/user/1': inTurn(
        noOrders,
        ok(pageJson([orderJson({ id: 'o-1', status: 'NEW' })])),
        ok(pageJson([orderJson({ id: 'o-1', status: 'FINISHED' })])),
      ),
      'POST /orders': () => ({ status: 201, body: orderJson({ id: 'o-1', status: 'NEW' }) }),
    });
    const user = userEvent.setup();
    renderApp('/?user=1');
    await screen.findByText('No orders yet');
    await user.type(screen.getByLabelText('Order amount'), '5');
    await user.type(screen.getByLabelText('Order description'), 'Mug');
    await user.click(screen.getByRole('button', { name: 'Place order' }));
    expect(await screen.findByText('New')).toBeVisible();
    expect(await screen.findByText('Finished')).toBeVisible();
    expect(await screen.findAllByText('Order finished')).toHaveLength(1);
    expect(await screen.findByText('15.00')).toBeVisible();
    expect(gateway.callsTo('POST /orders')[0]?.body).toBe(
      '{"user_id":1,"amount":5,"description":"Mug"}',
    );
  });

  it('show why one was cancelled', async () => {
    new FakeGateway({
      'GET /users/1': () => account('1'),
      'GET /orders/user/1': inTurn(
        ok(pageJson([orderJson({ id: 'o-1', status: 'NEW' })])),
        ok(pageJson([orderJson({ id: 'o-1', status: 'CANCELLED', reason: 'insufficient_funds' })])),
      ),
    });
    renderApp('/?user=1');
    const row = await screen.findByRole('listitem');
    expect(await within(row).findByText('Insufficient funds')).toBeVisible();
    expect(await screen.findByText('Order cancelled')).toBeVisible();
  });

  it('load more by the cursor', async () => {
    const gateway = new FakeGateway({
      'GET /users/1': () => account('1'),
      'GET /orders/user/1': ({ path }) =>
        path.includes('after=c1')
          ? ok(pageJson([orderJson({ id: 'o-1', status: 'FINISHED', description: 'Old' })]))
          : ok(pageJson([orderJson({ id: 'o-2', status: 'FINISHED' })], 'c1')),
    });
    const user = userEvent.setup();
    renderApp('/?user=1');
    await user.click(await screen.findByRole('button', { name: 'Load more' }));
    expect(await screen.findByText('Old')).toBeVisible();
    expect(screen.queryByRole('button', { name: 'Load more' })).not.toBeInTheDocument();
    expect(gateway.calls.at(-1)?.path).toBe('/orders/user/1?limit=20&after=c1');
  });
});

describe('when the gateway is away', () => {
  it('says so, recovers by itself, and repeats a submission under the same key', async () => {
    let up = true;
    const unlessDown = (answer: Answer) => () => (up ? answer : connectionLost);
    const gateway = new FakeGateway({
      'GET /users/1': unlessDown(account('20')),
      'GET /orders/user/1': unlessDown(noOrders),
      'POST /orders': unlessDown({
        status: 201,
        body: orderJson({ id: 'o-1', status: 'FINISHED' }),
      }),
    });
    const user = userEvent.setup();
    renderApp('/?user=1');
    await screen.findByText('No orders yet');
    await user.type(screen.getByLabelText('Order amount'), '5');
    up = false;
    await user.click(screen.getByRole('button', { name: 'Place order' }));
    expect(await screen.findByText('Connection problem')).toBeVisible();
    expect(await screen.findByText(/will not be done twice/)).toBeVisible();
    up = true;
    await waitFor(() => expect(screen.queryByText('Connection problem')).not.toBeInTheDocument());
    await user.click(screen.getByRole('button', { name: 'Place order' }));
    expect(await screen.findByText('Finished')).toBeVisible();
    const [first, second] = gateway.callsTo('POST /orders');
    expect(first?.idempotencyKey).toMatch(/^[0-9a-f-]{36}$/);
    expect(second?.idempotencyKey).toBe(first?.idempotencyKey);
  });
});
