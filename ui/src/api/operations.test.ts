import { describe, expect, it } from 'vitest';
import { addressOf } from './operations';

describe('addressOf', () => {
  it('fills in names so that they stay one part of the address', () => {
    expect(addressOf('/orders/{id}/timeline', { id: 'a/b?c' })).toBe('/orders/a%2Fb%3Fc/timeline');
  });

  it('keeps the query that is there, and leaves out what is not', () => {
    expect(addressOf('/orders', {}, { limit: 20, after: undefined })).toBe('/orders?limit=20');
    expect(addressOf('/orders', {}, { after: null })).toBe('/orders');
    expect(addressOf('/orders', {}, { after: 'a&b' })).toBe('/orders?after=a%26b');
  });

  it('refuses an address that lacks a name', () => {
    expect(() => addressOf('/orders/{id}')).toThrow('/orders/{id} lacks its id');
  });
});
