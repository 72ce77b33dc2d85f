import { defineConfig } from '@playwright/test';

/** The browser is the system's own, Debian's `chromium` by default; none is downloaded. */
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

export default defineConfig({
  outputDir: 'results',
  forbidOnly: true,
  // Nothing is tried twice: a test that fails now and then is a finding.
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    baseURL: process.env.SHOP_URL ?? 'http://127.0.0.1:3000',
    locale: 'en-GB',
    timezoneId: 'UTC',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    // Against the whole shop, as `make run` starts it.
    { name: 'system', testDir: 'system' },
    // How long an order takes until the browser is told, against the whole shop.
    { name: 'latency', testDir: 'latency', timeout: 300_000 },
    // Pictures of every page in every state, of data made up here, for looking at; and axe's judgement of each.
    { name: 'screens', testDir: 'screens' },
  ],
});
