import { test } from '@playwright/test';
import { expectAccessible } from '../accessibility';
import { inventShop, type State } from './inventedShop';

interface Picture {
  name: string;
  path: string;
  who?: 'user' | 'operator' | 'nobody';
  state?: State;
  open?: string;
  russian?: boolean;
}

const ORDER = '/orders/01a2052e-87c7-725f-95d0-42306bb9';

const PICTURES: Picture[] = [
  { name: 'sign-in', path: '/', who: 'nobody' },
  { name: 'overview', path: '/' },
  { name: 'overview-russian', path: '/', russian: true },
  { name: 'overview-empty', path: '/', state: 'empty' },
  { name: 'overview-loading', path: '/', state: 'slow' },
  { name: 'overview-away', path: '/', state: 'away' },
  { name: 'notifications', path: '/', open: 'Notifications' },
  { name: 'orders', path: '/orders' },
  { name: 'orders-filter-empty', path: '/orders?status=CANCELLED', state: 'empty' },
  { name: 'order-finished', path: `${ORDER}0001` },
  { name: 'order-new', path: `${ORDER}0000` },
  { name: 'order-cancelled', path: `${ORDER}0003` },
  { name: 'order-unknown', path: `${ORDER}0001`, state: 'empty' },
  { name: 'ledger', path: '/ledger' },
  { name: 'ledger-empty', path: '/ledger', state: 'empty' },
  { name: 'not-found', path: '/nowhere' },
  { name: 'operator-overview', path: '/', who: 'operator' },
  { name: 'pipeline', path: '/operator', who: 'operator' },
  { name: 'pipeline-russian', path: '/operator', who: 'operator', russian: true },
];

const SIZES = { desktop: { width: 1360, height: 860 }, phone: { width: 390, height: 844 } };

for (const [device, viewport] of Object.entries(SIZES)) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test.describe(`${device} ${colorScheme}`, () => {
      test.use({ viewport, colorScheme });
      for (const picture of PICTURES) {
        test(picture.name, async ({ page }) => {
          await page.clock.setFixedTime(new Date('2026-11-25T12:00:00Z'));
          if (picture.russian)
            await page.addInitScript(() => localStorage.setItem('language', 'ru'));
          await inventShop(page, picture.state ?? 'busy', picture.who ?? 'user');
          await page.goto(picture.path);
          await page.getByRole('heading', { level: 1 }).waitFor();
          await page.evaluate(() => document.fonts.ready);
          if (picture.open) await page.getByRole('button', { name: picture.open }).click();
          // Long enough for a second look at the pipeline, which tells its rate.
          await page.waitForTimeout(picture.path === '/operator' ? 1800 : 500);
          await page.screenshot({
            path: `pictures/${picture.name}-${device}-${colorScheme}.png`,
            fullPage: picture.open === undefined,
          });
          await expectAccessible(page);
        });
      }
    });
  }
}
