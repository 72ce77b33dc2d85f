import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import {
  connectionLost,
  demoToken,
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

describe('signing in', () => {
  it('refuses what is no id, and leads to the page that was asked for', async () => {
    const gateway = new FakeGateway({
      'POST /auth/demo-token': () => demoToken('7'),
      'GET /users/7/ledger': () => ok(pageJson([])),
      'GET /users/7': () => ok('{"user_id":7,"balance":5}'),
    });
    const user = userEvent.setup();
    renderApp('/ledger', null);
    await user.type(await screen.findByLabelText('User ID'), '0{Enter}');
    expect(screen.getByLabelText('User ID')).toHaveAccessibleDescription(/greater than zero/);
    await user.clear(screen.getByLabelText('User ID'));
    await user.type(screen.getByLabelText('User ID'), '7{Enter}');
    expect(await screen.findByRole('heading', { name: 'Ledger' })).toBeVisible();
    expect(gateway.callsTo('GET /users/7/ledger')[0]?.authorization).toBe('Bearer token-of-7');
    expect(screen.getByText(/Anyone can sign in as anyone/)).toBeVisible();

    await user.click(screen.getByRole('button', { name: 'Signed in as User 7' }));
    await user.click(await screen.findByRole('menuitem', { name: 'Sign out' }));
    expect(await screen.findByRole('button', { name: 'User 7' })).toBeVisible();
    expect(sessionStorage.getItem('session')).toBeNull();
  });

  it('replaces a demo token that is refused, unnoticed', async () => {
    const gateway = new FakeGateway({
      'POST /auth/demo-token': () => demoToken('1', 'second'),
      'GET /users/1': ({ authorization }) =>
        authorization === 'Bearer second' ? account('5') : problem(401, 'expired'),
      'GET /orders/user/1': () => noOrders,
    });
    renderApp('/');
    expect(await screen.findByText('5.00')).toBeVisible();
    expect(gateway.callsTo('POST /auth/demo-token')).toHaveLength(1);
    expect(gateway.callsTo('POST /auth/demo-token')[0]?.body).toBe('{"user_id":1}');
  });

  it('asks to sign in again when a token is refused that cannot be replaced', async () => {
    new FakeGateway({ 'GET /users/1': () => problem(401, 'expired') });
    renderApp('/', { origin: 'handed_over' });
    expect(await screen.findByText(/Your session has ended/)).toBeVisible();
    expect(window.location.pathname).toBe('/');
  });

  it('uses a token of a link only when the person says so', async () => {
    new FakeGateway({
      'GET /auth/config': () =>
        ok('{"mode":"jwt","issuer":"https://id.example","client_id":"shop"}'),
      'GET /auth/me': ({ authorization }) =>
        authorization === 'Bearer handed'
          ? ok('{"user_id":1,"operator":false,"expires_at":"2099-01-01T00:00:00Z"}')
          : problem(401, 'no'),
      'GET /users/1': () => account('5'),
      'GET /orders/user/1': () => noOrders,
    });
    const user = userEvent.setup();
    renderApp('/#access_token=handed', null);
    expect(window.location.hash).toBe('');
    await user.click(await screen.findByRole('button', { name: 'Continue as User 1' }));
    expect(await screen.findByText('5.00')).toBeVisible();
  });
});

describe('pages', () => {
  it('are for those who may see them', async () => {
    new FakeGateway({});
    renderApp('/operator');
    expect(await screen.findByRole('heading', { name: 'Page not found' })).toBeVisible();
    expect(screen.queryByRole('link', { name: 'Pipeline' })).not.toBeInTheDocument();
  });

  it('speak Russian on request, and write amounts the Russian way', async () => {
    new FakeGateway({
      'GET /users/1': () => account('1400.5'),
      'GET /orders/user/1': () => noOrders,
    });
    const user = userEvent.setup();
    renderApp('/');
    await screen.findByText('1,400.50');
    await user.click(screen.getByRole('button', { name: 'Language' }));
    await user.click(await screen.findByRole('menuitem', { name: 'Русский' }));
    expect(await screen.findByRole('heading', { name: 'Обзор' })).toBeVisible();
    expect(screen.getByText('1 400,50')).toBeVisible();
    expect(document.documentElement.lang).toBe('ru');
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
    renderApp('/');
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
    renderApp('/');
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
    renderApp('/');
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
    renderApp('/ledger');
    const table = await screen.findByRole('table', { name: 'Account ledger' });
    const [, payment, opening] = within(table).getAllByRole('row');
    expect(payment).toHaveTextContent(/Payment.*Order abcd1234.*\u22125\.00.*95\.00/);
    expect(opening).toHaveTextContent(/Opening balance.*\+100\.00.*100\.00/);
  });

  it('shows a new balance at once, and the old one when the change is refused', async () => {
    let answer: (answer: Answer) => void = () => undefined;
    new FakeGateway({
      'GET /users/1': () => account('20'),
      'PATCH /users/1': () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
      'GET /orders/user/1': () => noOrders,
    });
    const user = userEvent.setup();
    renderApp('/');
    await screen.findByText('20.00');
    await user.type(screen.getByLabelText('Amount to add or withdraw'), '5.5');
    await user.click(screen.getByRole('button', { name: 'Top up' }));
    expect(await screen.findByText('25.50')).toBeVisible();
    answer(problem(400, 'The limit is reached'));
    expect(await screen.findByText('20.00')).toBeVisible();
    expect(screen.getByLabelText('Amount to add or withdraw')).toBeInvalid();
  });
});

describe('orders', () => {
  it('are checked before they are sent', async () => {
    const gateway = new FakeGateway({
      'GET /users/1': () => account('5'),
      'GET /orders/user/1': () => noOrders,
    });
    const user = userEvent.setup();
    renderApp('/');
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
    renderApp('/');
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
    renderApp('/');
    const row = await screen.findByRole('listitem');
    expect(await within(row).findByText('Insufficient funds')).toBeVisible();
    expect(await screen.findByText('Order cancelled')).toBeVisible();
  });

  it('are taken away again when the shop refuses them', async () => {
    let answer: (answer: Answer) => void = () => undefined;
    new FakeGateway({
      'GET /users/1': () => account('20'),
      'GET /orders/user/1': () => noOrders,
      'POST /orders': () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    });
    const user = userEvent.setup();
    renderApp('/');
    await screen.findByText('No orders yet');
    await user.type(screen.getByLabelText('Order amount'), '5');
    await user.click(screen.getByRole('button', { name: 'Place order' }));
    expect(await screen.findByText('Sending')).toBeVisible();
    answer(problem(400, 'No', [{ field: 'amount', detail: 'not today' }]));
    expect(await screen.findByText('No orders yet')).toBeVisible();
    expect(screen.getByLabelText('Order amount')).toHaveAccessibleDescription('not today');
  });

  it('are filtered by status, looking further for enough of them', async () => {
    const gateway = new FakeGateway({
      'GET /orders/user/1': ({ path }) =>
        path.includes('after=c1')
          ? ok(pageJson([orderJson({ id: 'o-1', status: 'CANCELLED', description: 'Old' })]))
          : ok(pageJson([orderJson({ id: 'o-2', status: 'FINISHED' })], 'c1')),
    });
    const user = userEvent.setup();
    renderApp('/orders');
    expect(await screen.findByText('Mug')).toBeVisible();
    await user.click(screen.getByRole('radio', { name: 'Cancelled' }));
    expect(await screen.findByText('Old')).toBeVisible();
    expect(screen.queryByText('Mug')).not.toBeInTheDocument();
    expect(window.location.search).toBe('?status=CANCELLED');
    expect(gateway.callsTo('GET /orders/user/1').length).toBeGreaterThanOrEqual(2);
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
    renderApp('/orders');
    await user.click(await screen.findByRole('button', { name: 'Load more' }));
    expect(await screen.findByText('Old')).toBeVisible();
    expect(screen.queryByRole('button', { name: 'Load more' })).not.toBeInTheDocument();
    const paths = gateway.callsTo('GET /orders/user/1').map(({ path }) => path);
    expect(paths).toContain('/orders/user/1?limit=20&after=c1');
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
    renderApp('/');
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
