import { test as base, expect, type APIRequestContext, type Page } from '@playwright/test';
import { watchPolicy, type Breach } from './policy';

interface Windows {
  /** A window of its own, with nothing in common with others: as another person's browser. */
  newWindow: () => Promise<Page>;
  /** What the page was kept from by its own policy. */
  breaches: Breach[];
}

/** Fails a test, too, in which a page has come up against its Content-Security-Policy. */
export const test = base.extend<Windows>({
  breaches: [
    async ({ context }, use) => {
      const breaches: Breach[] = [];
      await watchPolicy(context, breaches);
      await use(breaches);
      expect(breaches, 'what the Content-Security-Policy has forbidden').toEqual([]);
    },
    { auto: true },
  ],
  newWindow: async ({ browser, breaches }, use) => {
    await use(async () => {
      const context = await browser.newContext();
      await watchPolicy(context, breaches);
      return context.newPage();
    });
  },
});

/** The next user id: tests share the shop, and no two of them a user. */
export function newUser(): string {
  return String(1_000_000 + Math.floor(Math.random() * 2_000_000_000));
}

/** Signs in by the page, at whatever address the page is. */
export async function signIn(page: Page, userId: string, path = '/'): Promise<void> {
  await page.goto(path);
  await page.getByLabel('User ID').fill(userId);
  await page.getByRole('button', { name: 'Sign in as this user' }).click();
  await expect(page.getByRole('button', { name: `Signed in as User ${userId}` })).toBeVisible();
}

export async function signInAsOperator(page: Page, path = '/'): Promise<void> {
  await page.goto(path);
  await page.getByRole('button', { name: 'Sign in as operator' }).click();
  await expect(page.getByRole('button', { name: 'Signed in as Operator' })).toBeVisible();
}

export async function expectLive(page: Page): Promise<void> {
  await expect(page.locator('header').getByText('Live', { exact: true })).toBeVisible();
}

export async function openAccount(page: Page, balance: string): Promise<void> {
  await page.getByLabel('Opening balance').fill(balance);
  await page.getByRole('button', { name: 'Create account' }).click();
  await expect(page.getByRole('group', { name: 'Balance' })).toBeVisible();
}

export async function placeOrder(page: Page, amount: string, description: string): Promise<void> {
  await page.getByLabel('Order amount').fill(amount);
  await page.getByLabel('Order description').fill(description);
  await page.getByRole('button', { name: 'Place order' }).click();
}

/** The order's row in a list. */
export function orderRow(page: Page, description: string) {
  return page.getByRole('listitem').filter({ hasText: description });
}

export function balance(page: Page) {
  return page.getByRole('group', { name: 'Balance' });
}

/** A token from the gateway itself. */
export async function tokenFor(request: APIRequestContext, userId: string): Promise<string> {
  const answer = await request.post('/api/auth/demo-token', { data: { user_id: Number(userId) } });
  expect(answer.status()).toBe(200);
  return ((await answer.json()) as { token: string }).token;
}
