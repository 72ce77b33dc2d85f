import { expect, it } from 'vitest';
import { locationHref, parseLocation } from './userLocation';

it.each(['/', '/?user=1', '/?user=9223372036854775807&tab=ledger'])('reads back %s', (href) => {
  expect(locationHref(parseLocation(href.slice(1)))).toBe(href);
});

it('ignores what is not a user or a tab', () => {
  expect(parseLocation('?user=abc&tab=admin')).toEqual({ userId: null, tab: 'orders' });
});
