import { describe, expect, it } from 'vitest';
import { en } from './en';
import { ru } from './ru';

/** Every text's path, those in open-ended vocabularies too, which the type system does not compare. */
function paths(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, member]) => paths(member, `${path}.${key}`));
}

function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(texts);
}

describe('translations', () => {
  it('have the same texts', () => {
    expect(paths(ru).sort()).toEqual(paths(en).sort());
  });

  it('leave no text empty', () => {
    expect([...texts(en), ...texts(ru)].filter((text) => text.trim() === '')).toEqual([]);
  });

  it('count as Russians do', () => {
    expect([1, 2, 5, 21].map(ru.orders.shown)).toEqual([
      'Показано: 1 заказ',
      'Показано: 2 заказа',
      'Показано: 5 заказов',
      'Показано: 21 заказ',
    ]);
  });
});
