// Writes src/api/generated.ts, the API's types, from docs/openapi.json; with --check, fails where it
// differs from what is there.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import console from 'node:console';
import process from 'node:process';
import openapiTS, { astToString } from 'openapi-typescript';
import prettier from 'prettier';
import ts from 'typescript';

const root = join(import.meta.dirname, '..');
const document = join(root, '..', 'docs', 'openapi.json');
const target = join(root, 'src', 'api', 'generated.ts');

const HEADER = `// Generated from docs/openapi.json by \`make api-types\`. Numbers of bodies are as they are
// parsed and written here: digit for digit.
import type { LosslessNumber } from 'lossless-json';

`;

const exactNumber = ts.factory.createTypeReferenceNode('LosslessNumber');
const writtenNumber = ts.factory.createUnionTypeNode([
  ts.factory.createKeywordTypeNode(ts.SyntaxKind.StringKeyword),
  ts.factory.createKeywordTypeNode(ts.SyntaxKind.NumberKeyword),
]);
const nothing = ts.factory.createLiteralTypeNode(ts.factory.createNull());

/** A number of an address is text in the end, and one of 64 bits is text from the start. */
function transform(schema, { path }) {
  const types = [schema.type].flat();
  if (!types.includes('number') && !types.includes('integer')) return undefined;
  if (types.some((type) => !['number', 'integer', 'null'].includes(type))) return undefined;
  const number = path?.includes('/parameters/') ? writtenNumber : exactNumber;
  return types.includes('null') ? ts.factory.createUnionTypeNode([number, nothing]) : number;
}

async function generate() {
  const tree = await openapiTS(pathToFileURL(document), { transform });
  const options = await prettier.resolveConfig(target);
  return prettier.format(HEADER + astToString(tree), { ...options, filepath: target });
}

const generated = await generate();
if (!process.argv.includes('--check')) {
  writeFileSync(target, generated);
} else if (readFileSync(target, 'utf8') !== generated) {
  console.error('ui/src/api/generated.ts is out of date: `make api-types` generates it');
  process.exit(1);
}
