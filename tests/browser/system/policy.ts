import type { BrowserContext } from '@playwright/test';

/** Something that a page's Content-Security-Policy has kept it from. */
export interface Breach {
  directive: string;
  what: string;
  page: string;
  source: string;
}

/** Notes what pages of this context are kept from, from their first line on. */
export async function watchPolicy(context: BrowserContext, breaches: Breach[]): Promise<void> {
  await context.exposeBinding('noteBreach', (_source, breach: Breach) => breaches.push(breach));
  await context.addInitScript(() => {
    const { noteBreach } = window as unknown as { noteBreach: (breach: unknown) => void };
    document.addEventListener('securitypolicyviolation', (event) => {
      noteBreach({
        directive: event.effectiveDirective,
        what: event.blockedURI,
        page: event.documentURI,
        source: `${event.sourceFile}:${event.lineNumber}`,
      });
    });
  });
}
