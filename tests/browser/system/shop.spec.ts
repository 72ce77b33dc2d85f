import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@playwright/test';
import {
  balance,
  expectLive,
  newUser,
  openAccount,
  orderRow,
  placeOrder,
  signIn,
  signInAsOperator,
  test,
  tokenFor,
} from './shop';

test('an order is finished in two windows, live and without a reload', async ({
  page,
  newWindow,
}) => {
  const user = newUser();
  await signIn(page, user);
  await openAccount(page, '100');
  await page.getByLabel('Amount to add or withdraw').fill('50.25');
  await page.getByRole('button', { name: 'Top up' }).click();
  await expect(balance(page)).toContainText('150.25');

  const other = await newWindow();
  await signIn(other, user);
  await expectLive(page);
  await expectLive(other);
  await expect(other.getByText('No orders yet')).toBeVisible();

  await placeOrder(page, '30.25', 'Teapot');
  for (const window of [page, other]) {
    await expect(orderRow(window, 'Teapot')).toContainText('Finished');
    await expect(balance(window)).toContainText('120.00');
    await expect(window.getByText('Order finished')).toBeVisible();
    await expect(window.getByRole('button', { name: 'Notifications, 1 unread' })).toBeVisible();
  }
});

test('an order beyond the balance is cancelled, with the reason', async ({ page }) => {
  await signIn(page, newUser());
  await openAccount(page, '10');
  await page.getByLabel('Order amount').fill('10.01');
  await expect(page.getByText(/More than the current balance/)).toBeVisible();
  await placeOrder(page, '10.01', 'Grand piano');
  await expect(orderRow(page, 'Grand piano')).toContainText('Cancelled');
  await expect(orderRow(page, 'Grand piano')).toContainText('Insufficient funds');
  await expect(balance(page)).toContainText('10.00');

  await page.getByLabel('Amount to add or withdraw').fill('10.01');
  await page.getByRole('button', { name: 'Withdraw' }).click();
  await expect(page.getByLabel('Amount to add or withdraw')).toHaveAttribute(
    'aria-invalid',
    'true',
  );
  await expect(balance(page)).toContainText('10.00');
});

test('an order’s page tells its way with the time of each step', async ({ page }) => {
  await signIn(page, newUser());
  await openAccount(page, '10');
  await placeOrder(page, '4', 'Cup');
  await orderRow(page, 'Cup').getByRole('link', { name: 'Cup' }).click();
  const steps = page.getByRole('list', { name: 'Timeline' }).getByRole('listitem');
  await expect(page.getByText(/^Settled in/)).toBeVisible();
  await expect(steps).toHaveText([
    /Accepted/,
    /Payment requested/,
    /Request received/,
    /Paid/,
    /Outcome announced/,
    /Outcome received/,
    /Finished/,
  ]);
  await page.getByRole('link', { name: 'Ledger' }).click();
  await expect(page.getByRole('table', { name: 'Account ledger' })).toContainText('Payment');
});

test('the connection comes back after the gateway has restarted', async ({ page }) => {
  const runDir = process.env.SHOP_RUN_DIR;
  test.skip(runDir === undefined, 'only where the shop’s processes can be stopped');
  await signIn(page, newUser());
  await openAccount(page, '10');
  await expectLive(page);
  const gateway = Number(readFileSync(join(runDir ?? '', 'gateway.pid'), 'utf8').trim());
  process.kill(gateway, 'SIGKILL');
  await expect(page.locator('header').getByText('Reconnecting', { exact: true })).toBeVisible();
  await expectLive(page);
  await expect(page.getByText('Connection problem')).toBeHidden();
  await placeOrder(page, '3', 'Saucer');
  await expect(orderRow(page, 'Saucer')).toContainText('Finished');
});

test('another user sees nothing of mine', async ({ page, newWindow, request }) => {
  const mine = newUser();
  await signIn(page, mine);
  await openAccount(page, '10');
  await placeOrder(page, '1', 'A secret');
  await expect(orderRow(page, 'A secret')).toContainText('Finished');
  await orderRow(page, 'A secret').getByRole('link', { name: 'A secret' }).click();
  await expect(page).toHaveURL(/\/orders\/.+/);
  const address = new URL(page.url()).pathname;

  const theirs = newUser();
  const other = await newWindow();
  await signIn(other, theirs, address);
  await expect(other.getByText('No such order')).toBeVisible();

  await other.goto('/operator');
  await expect(other.getByRole('heading', { name: 'Page not found' })).toBeVisible();

  const headers = { authorization: `Bearer ${await tokenFor(request, theirs)}` };
  for (const path of [`/users/${mine}`, `/users/${mine}/ledger`, `/orders/user/${mine}`]) {
    expect((await request.get(`/api${path}`, { headers })).status(), path).toBe(403);
  }
  expect((await request.get(`/api${address}`, { headers })).status()).toBe(404);
  expect((await request.get('/api/operator/pipeline', { headers })).status()).toBe(403);

  // While both are connected, what happens to one is not told to the other.
  await other.goto('/');
  await expectLive(other);
  await page.goto('/');
  await placeOrder(page, '2', 'Another secret');
  await expect(orderRow(page, 'Another secret')).toContainText('Finished');
  await expect(other.getByRole('button', { name: 'Notifications', exact: true })).toBeVisible();
});

test('a forged token leads to the sign-in, and from there back to the page', async ({ page }) => {
  await page.addInitScript(() => {
    if (sessionStorage.getItem('forged') !== null) return;
    sessionStorage.setItem('forged', 'once');
    sessionStorage.setItem(
      'session',
      JSON.stringify({
        token: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.',
        userId: '1',
        operator: false,
        expiresAt: null,
        origin: 'handed_over',
      }),
    );
  });
  await page.goto('/orders?status=FINISHED');
  await expect(page.getByText(/Your session has ended/)).toBeVisible();
  await page.getByLabel('User ID').fill(newUser());
  await page.getByRole('button', { name: 'Sign in as this user' }).click();
  await expect(page.getByRole('heading', { name: 'Orders' })).toBeVisible();
  await expect(page).toHaveURL(/\/orders\?status=FINISHED$/);
});

test('an operator sees the orders of everybody, and the pipeline at work', async ({ page, newWindow }) => {
  const buyer = await newWindow();
  await signIn(buyer, newUser());
  await openAccount(buyer, '10');
  await placeOrder(buyer, '1', 'Spoon');
  await expect(orderRow(buyer, 'Spoon')).toContainText('Finished');
  await signInAsOperator(page);
  await expect(orderRow(page, 'Spoon').first()).toBeVisible();
  await page.getByRole('link', { name: 'Pipeline' }).click();
  for (const service of ['Orders', 'Payments']) {
    const card = page.getByRole('region', { name: service, exact: true });
    await expect(card.getByText('Running')).toBeVisible();
    await expect(card.getByText('Pending rows').first()).toBeVisible();
  }
  await expect(page.getByRole('region', { name: 'Dead letters' })).toBeVisible();
});
