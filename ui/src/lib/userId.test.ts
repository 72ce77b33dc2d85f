import { expect, it } from 'vitest';
import { parseUserId } from './userId';

it.each([
  ['1', '1'],
  [' 0042 ', '42'],
  ['9223372036854775807', '9223372036854775807'],
])('takes %j', (text, id) => {
  expect(parseUserId(text)).toBe(id);
});

it.each(['', '0', '-1', '1.5', 'abc', '9223372036854775808', '1e3'])('refuses %j', (text) => {
  expect(parseUserId(text)).toBeNull();
});
