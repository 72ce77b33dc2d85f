import { describe, expect, it } from 'vitest';
import { compareMoney, formatMoney, moneyFromLiteral, negate, parseMoneyInput } from './money';

describe('moneyFromLiteral', () => {
  it.each([
    ['999999999999999.9999', '999999999999999.9999'],
    ['1400', '1400'],
    ['12.5000', '12.5'],
    ['-0.0000', '0'],
    ['-3.10', '-3.1'],
    ['1.5E+3', '1500'],
    ['125e-4', '0.0125'],
    ['1e-7', '0.0000001'],
  ])('reads %s as %s', (literal, expected) => {
    expect(moneyFromLiteral(literal)).toBe(expected);
  });

  it.each(['', 'NaN', '1,5', '0x10', '--1'])('refuses %j', (literal) => {
    expect(() => moneyFromLiteral(literal)).toThrow(SyntaxError);
  });
});

describe('parseMoneyInput', () => {
  it.each([
    ['12.50', '12.5'],
    [' 7 ', '7'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['0.0001', '0.0001'],
    ['999999999999999.9999', '999999999999999.9999'],
    ['0007', '7'],
  ])('takes %j as %s', (text, value) => {
    expect(parseMoneyInput(text)).toEqual({ ok: true, value });
  });

  it.each([
    ['', 'empty'],
    ['  ', 'empty'],
    ['1,000', 'comma'],
    ['abc', 'not_a_number'],
    ['1e5', 'not_a_number'],
    ['.', 'not_a_number'],
    ['1.2.3', 'not_a_number'],
    ['0.00001', 'too_many_decimals'],
    ['1000000000000000', 'too_large'],
    ['-1', 'negative'],
    ['0', 'zero'],
    ['0.0000', 'zero'],
  ])('refuses %j as %s', (text, expected) => {
    expect(parseMoneyInput(text)).toEqual({ ok: false, problem: expected });
  });

  it('takes zero where it makes sense', () => {
    expect(parseMoneyInput('0', { allowZero: true })).toEqual({ ok: true, value: '0' });
  });
});

describe('formatMoney', () => {
  it.each([
    ['999999999999999.9999', '999,999,999,999,999.9999'],
    ['1400', '1,400.00'],
    ['0.5', '0.50'],
    ['0', '0.00'],
    ['-19.9999', '\u221219.9999'],
  ])('shows %s as %s', (literal, expected) => {
    expect(formatMoney(moneyFromLiteral(literal), 'en-GB')).toBe(expected);
  });

  it('marks incoming movements', () => {
    expect(formatMoney(moneyFromLiteral('3'), 'en-GB', { sign: 'always' })).toBe('+3.00');
    expect(formatMoney(moneyFromLiteral('0'), 'en-GB', { sign: 'always' })).toBe('0.00');
  });

  it('follows the locale', () => {
    expect(formatMoney(moneyFromLiteral('1234567.5'), 'ru')).toBe('1\u00a0234\u00a0567,50');
  });
});

describe('compareMoney and negate', () => {
  it('see differences a float would not', () => {
    const large = moneyFromLiteral('999999999999999.9999');
    const less = moneyFromLiteral('999999999999999.9998');
    expect(compareMoney(large, less)).toBe(1);
    expect(compareMoney(less, large)).toBe(-1);
    expect(compareMoney(large, large)).toBe(0);
    expect(compareMoney(negate(large), less)).toBe(-1);
    expect(negate(moneyFromLiteral('0'))).toBe('0');
  });
});
