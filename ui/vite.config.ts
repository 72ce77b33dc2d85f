import { ServerResponse } from 'node:http';
import react from '@vitejs/plugin-react';
import type { ProxyOptions } from 'vite';
import { defineConfig } from 'vitest/config';

const gatewayUrl = process.env.GATEWAY_URL ?? 'http://127.0.0.1:8080';

const proxy: Record<string, ProxyOptions> = {
  '/api': {
    target: gatewayUrl,
    ws: true,
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

// Mantine writes its theme variables into a style element, hence 'unsafe-inline' for styles alone.
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export default defineConfig({
  plugins: [react()],
  server: { host: true, port: 3000, strictPort: true, proxy },
  preview: {
    host: true,
    port: 3000,
    strictPort: true,
    proxy,
    headers: {
      'Content-Security-Policy': contentSecurityPolicy,
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
    },
  },
  test: {
    environment: 'jsdom',
    setupFiles: ['src/test/setup.ts'],
    testTimeout: 30_000,
    restoreMocks: true,
    unstubGlobals: true,
  },
});
