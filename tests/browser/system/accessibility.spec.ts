import { expect } from '@playwright/test';
import { expectAccessible } from '../accessibility';
import { newUser, openAccount, orderRow, placeOrder, signIn, signInAsOperator, test } from './shop';

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test('a user’s pages have no serious problem', async ({ page }) => {
      await page.goto('/');
      await expect(page.getByLabel('User ID')).toBeVisible();
      await expectAccessible(page);
      await signIn(page, newUser());
      await expectAccessible(page);
      await openAccount(page, '10');
      await placeOrder(page, '4', 'Cup');
      await expect(orderRow(page, 'Cup')).toContainText('Finished');
      await expectAccessible(page);
      for (const path of ['/orders', '/ledger', '/nowhere']) {
        await page.goto(path);
        await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
        await expectAccessible(page);
      }
      await page.goto('/orders');
      await page.getByRole('link', { name: 'Cup' }).click();
      await expect(page.getByText(/^Settled in/)).toBeVisible();
      await expectAccessible(page);
    });

    test('an operator’s pages have no serious problem', async ({ page }) => {
      await signInAsOperator(page);
      await expectAccessible(page);
      await page.getByRole('link', { name: 'Orders', exact: true }).first().click();
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await expectAccessible(page);
      await page.goto('/operator');
      await expect(page.getByText('Pending rows').first()).toBeVisible();
      await expectAccessible(page);
    });
  });
}

test('everything can be done by keyboard', async ({ page }) => {
  await page.goto('/');
  await page.getByLabel('User ID').focus();
  await page.keyboard.type(newUser());
  await page.keyboard.press('Enter');
  await page.getByLabel('Opening balance').focus();
  await page.keyboard.type('10');
  await page.keyboard.press('Enter');
  await page.getByLabel('Order amount').focus();
  await page.keyboard.type('2');
  await page.keyboard.press('Tab');
  await page.keyboard.type('By keyboard');
  await page.keyboard.press('Enter');
  await expect(orderRow(page, 'By keyboard')).toContainText('Finished');
  await orderRow(page, 'By keyboard').getByRole('link', { name: 'By keyboard' }).focus();
  await page.keyboard.press('Enter');
  // Whoever follows a link starts at the new page's title.
  await expect(page.getByRole('heading', { level: 1 })).toBeFocused();
});
