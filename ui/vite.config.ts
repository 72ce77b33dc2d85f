import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ServerResponse } from 'node:http';
import { join } from 'node:path';
import react from '@vitejs/plugin-react';
import type { Plugin, ProxyOptions } from 'vite';
import { defineConfig } from 'vitest/config';

const gatewayUrl = process.env.GATEWAY_URL ?? 'http://127.0.0.1:8080';

const proxy: Record<string, ProxyOptions> = {
  '/ws': { target: gatewayUrl, ws: true },
  '/api': {
    target: gatewayUrl,
    rewrite: (path) => path.replace(/^\/api(?=\/|$)/, ''),
    configure(server) {
      // Vite answers an unreachable target with an empty 500; the gateway itself says 503 for an
      // unreachable service, and the UI should see one kind of outage.
      server.on('error', (_error, _request, response) => {
        if (response instanceof ServerResponse && !response.headersSent) {
          response.writeHead(503, { 'content-type': 'application/json' });
          response.end(JSON.stringify({ error: 'Service Unavailable', code: 503 }));
        }
      });
    },
  },
};

/** Where people sign in under `auth.mode: jwt`; the page fetches its metadata and tokens from there. */
const issuerOrigin = process.env.OIDC_ORIGIN ? ` ${process.env.OIDC_ORIGIN}` : '';

/** Mantine writes style elements; they bear the nonce of the page. */
function contentSecurityPolicy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    `connect-src 'self'${issuerOrigin}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

const securityHeaders = {
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/** Serves the page as nginx does in the image: each answer with a nonce of its own. */
const pageWithNonce: Plugin = {
  name: 'page-with-nonce',
  configurePreviewServer({ config, middlewares }) {
    const page = readFileSync(join(config.root, config.build.outDir, 'index.html'), 'utf8');
    middlewares.use((request, response, next) => {
      const wantsPage =
        request.headers.accept?.includes('text/html') === true &&
        !Object.keys(proxy).some((prefix) => request.url?.startsWith(prefix));
      if (!wantsPage) {
        next();
        return;
      }
      const nonce = randomBytes(16).toString('hex');
      response.writeHead(200, {
        ...securityHeaders,
        'Content-Type': 'text/html; charset=utf-8',
        'Content-Security-Policy': contentSecurityPolicy(nonce),
        'Cache-Control': 'no-store',
      });
      response.end(page.replaceAll('CSP_NONCE', nonce));
    });
  },
};

export default defineConfig({
  plugins: [react(), pageWithNonce],
  build: {
    // The entry awaits the texts of the person's language.
    target: 'es2022',
    // Browsers that have light-dark() themselves.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    // Tells the check of the bundle's budget what the first load consists of.
    manifest: true,
  },
  server: { port: 3000, strictPort: true, proxy },
  preview: { port: 3000, strictPort: true, proxy, headers: securityHeaders },
  test: {
    environment: 'jsdom',
    setupFiles: ['src/test/setup.ts'],
    testTimeout: 30_000,
    restoreMocks: true,
    unstubGlobals: true,
  },
});
