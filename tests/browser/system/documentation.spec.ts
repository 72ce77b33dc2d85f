import { expect } from '@playwright/test';
import { test } from './shop';

test('calls are tried from the documentation, within its policy', async ({ page }) => {
  await page.goto('/api/docs/');
  await page.getByText('Says that the gateway is there.').click();
  await page.getByRole('button', { name: 'Execute' }).click();
  await expect(page.locator('.live-responses-table .response-col_status').last()).toContainText('200');
});
