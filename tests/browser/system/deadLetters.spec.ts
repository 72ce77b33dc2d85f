import { randomUUID } from 'node:crypto';
import { expect, type Page } from '@playwright/test';
import { RUN_DIR, withDatabase } from './database';
import {
  balance,
  expectLive,
  newUser,
  openAccount,
  orderRow,
  signIn,
  signInAsOperator,
  test,
} from './shop';

test.skip(RUN_DIR === undefined, 'only where the shop’s databases can be reached');

test('a letter that is retried comes back while it is broken, and is paid once it is mended', async ({
  page,
  newWindow,
}) => {
  const user = newUser();
  const buyer = await newWindow();
  await signIn(buyer, user);
  await openAccount(buyer, '10');
  await expectLive(buyer);
  const orderId = await placeOrderWithBrokenMessage(user, 'Kettle');
  await buyer.reload();
  await expect(orderRow(buyer, 'Kettle')).toContainText('New');

  await openDeadLetters(page, 'Orders', 'Outbox');
  const letter = letterRow(page, orderId);
  await expect(letter).toContainText('headers');
  const diedFirst = await deathOf(letter);
  await decide(page, letter, 'Retry');
  await expect(page.getByText('Sent on its way again')).toBeVisible();
  await expect
    .poll(async () => [null, diedFirst].includes(await deathOf(letter)), 'it is not dead anew')
    .toBe(false);

  await withDatabase('orders', (database) =>
    database.query("UPDATE outbox SET headers = '{}' WHERE aggregate_id = $1", [orderId]),
  );
  await decide(page, letter, 'Retry');
  await expect(letter).toBeHidden();
  await expect(orderRow(buyer, 'Kettle')).toContainText('Finished');
  await expect(balance(buyer)).toContainText('7.00');
  await page.reload();
  await expect(page.getByRole('region', { name: 'Dead letters' })).toBeVisible();
  await expect(letter).toBeHidden();
});

test('a letter that is skipped leaves the list for good, and has no effect', async ({ page }) => {
  const key = randomUUID();
  await sendUnknownMessage(key);
  await openDeadLetters(page, 'Payments', 'Inbox');
  const letter = letterRow(page, key);
  await expect(letter).toContainText('unknown event type');

  await letter.getByRole('button', { name: 'Skip' }).click();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toBeHidden();
  await expect(letter).toBeVisible();

  await decide(page, letter, 'Skip');
  await expect(page.getByText('Skipped', { exact: true })).toBeVisible();
  await expect(letter).toBeHidden();
  await page.reload();
  await chooseDeadLetters(page, 'Payments', 'Inbox');
  await expect(page.getByText(/No dead letters|Since/).first()).toBeVisible();
  await expect(letter).toBeHidden();
});

/** An order as the orders service stores it, but for the message's headers, which are no object. */
async function placeOrderWithBrokenMessage(user: string, description: string): Promise<string> {
  const orderId = randomUUID();
  await withDatabase('orders', async (database) => {
    await database.query('BEGIN');
    await database.query(
      'INSERT INTO orders (id, user_id, amount, description) VALUES ($1, $2, 3, $3)',
      [orderId, user, description],
    );
    await database.query(
      `INSERT INTO outbox (id, aggregate_type, aggregate_id, type, payload, headers)
       VALUES ($1, 'order', $2, 'order.payment_requested',
               jsonb_build_object('order_id', $2::text, 'user_id', $3::bigint, 'amount', 3), '[]')`,
      [randomUUID(), orderId, user],
    );
    await database.query('COMMIT');
  });
  return orderId;
}

/** A message that the payments service does not know what to do with. */
async function sendUnknownMessage(key: string): Promise<void> {
  await withDatabase('orders', (database) =>
    database.query(
      `INSERT INTO outbox (id, aggregate_type, aggregate_id, type, payload)
       VALUES ($1, 'order', $2, 'order.nonsense', '{}')`,
      [randomUUID(), key],
    ),
  );
}

async function openDeadLetters(page: Page, service: string, direction: string): Promise<void> {
  await signInAsOperator(page, '/operator');
  await chooseDeadLetters(page, service, direction);
}

async function chooseDeadLetters(page: Page, service: string, direction: string): Promise<void> {
  const letters = page.getByRole('region', { name: 'Dead letters' });
  await letters.getByRole('radiogroup', { name: 'Service' }).getByText(service).click();
  await letters.getByRole('radiogroup', { name: 'Direction' }).getByText(direction).click();
}

function letterRow(page: Page, key: string) {
  return page.getByRole('table', { name: 'Dead letters' }).getByRole('row').filter({ hasText: key });
}

/** When it died; null while it is not there. */
function deathOf(letter: ReturnType<typeof letterRow>): Promise<string | null> {
  return letter
    .locator('time')
    .evaluateAll(([time]) => time?.getAttribute('datetime') ?? null);
}

async function decide(
  page: Page,
  letter: ReturnType<typeof letterRow>,
  decision: 'Retry' | 'Skip',
): Promise<void> {
  await letter.getByRole('button', { name: decision }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: decision }).click();
  await expect(dialog).toBeHidden();
}
