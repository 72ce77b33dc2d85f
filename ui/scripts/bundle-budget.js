// Fails when what a first visit loads, or a part loaded later, has grown beyond its budget. Sizes are
// those of the network: gzip, as the web server sends it. Raise a number on purpose, with the reason in
// the commit.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import console from 'node:console';
import process from 'node:process';

const KIB = 1024;
const BUDGETS = [
  { name: 'first load, scripts', entry: 'index.html', kind: 'js', limit: 215 * KIB },
  { name: 'first load, styles', entry: 'index.html', kind: 'css', limit: 42 * KIB },
  {
    name: "operator's page",
    entry: 'src/features/pipeline/PipelinePage.tsx',
    kind: 'js',
    limit: 16 * KIB,
  },
  { name: 'sign-in by OIDC', entry: 'src/features/session/oidc.ts', kind: 'js', limit: 22 * KIB },
  { name: 'Russian', entry: 'src/locales/ru.ts', kind: 'js', limit: 8 * KIB },
];

const dist = join(import.meta.dirname, '..', 'dist');
const manifest = JSON.parse(readFileSync(join(dist, '.vite', 'manifest.json'), 'utf8'));

/** Every chunk that loads with this one, without those loaded on demand. */
function withImports(key, seen = new Set()) {
  const chunk = manifest[key];
  if (!chunk) throw new Error(`the build has no chunk ${key}; is its budget still about anything?`);
  if (seen.has(key)) return seen;
  seen.add(key);
  (chunk.imports ?? []).forEach((imported) => withImports(imported, seen));
  return seen;
}

const firstLoad = withImports('index.html');

function files(entry, kind) {
  const chunks = [...withImports(entry)].filter(
    (key) => entry === 'index.html' || !firstLoad.has(key),
  );
  const names = chunks.flatMap((key) =>
    kind === 'js' ? [manifest[key].file] : (manifest[key].css ?? []),
  );
  return [...new Set(names)];
}

let exceeded = false;
for (const { name, entry, kind, limit } of BUDGETS) {
  const bytes = files(entry, kind)
    .map((file) => gzipSync(readFileSync(join(dist, file)), { level: 6 }).length)
    .reduce((sum, size) => sum + size, 0);
  const over = bytes > limit;
  exceeded ||= over;
  const kib = (size) => (size / KIB).toFixed(1).padStart(6);
  console.log(`${over ? 'OVER ' : 'ok   '}${kib(bytes)} of ${kib(limit)} KiB  ${name}`);
}
if (exceeded) {
  console.error('the bundle is over its budget (ui/scripts/bundle-budget.js)');
  process.exit(1);
}
