/**
 * Exact decimal amounts. They stay text from the server's JSON to the screen and back: a float never
 * holds one, so 999999999999999.9999 is shown and sent digit for digit.
 */
declare const moneyBrand: unique symbol;

/** A decimal in canonical form: optional minus, no leading zeros, no trailing fraction zeros. */
export type Money = string & { readonly [moneyBrand]: true };

/** The server keeps `numeric(19,4)`. */
export const MAX_FRACTION_DIGITS = 4;
export const MAX_INTEGER_DIGITS = 15;

export type MoneyProblem =
  'empty' | 'not_a_number' | 'comma' | 'too_many_decimals' | 'too_large' | 'negative' | 'zero';

export type MoneyInput = { ok: true; value: Money } | { ok: false; problem: MoneyProblem };

function canonical(negative: boolean, integer: string, fraction: string): Money {
  const whole = integer.replace(/^0+(?=\d)/, '') || '0';
  const rest = fraction.replace(/0+$/, '');
  const digits = rest === '' ? whole : `${whole}.${rest}`;
  return (negative && digits !== '0' ? `-${digits}` : digits) as Money;
}

/** The exact value of a JSON number literal; throws on anything else. */
export function moneyFromLiteral(literal: string): Money {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/.exec(literal);
  if (!match) throw new SyntaxError(`not a decimal number: ${literal}`);
  const [, sign = '', integer = '', fraction = '', exponentText = '0'] = match;
  const exponent = Number(exponentText);
  const digits = integer + fraction;
  const point = integer.length + exponent;
  if (point <= 0) return canonical(sign === '-', '0', '0'.repeat(-point) + digits);
  const padded = digits.padEnd(point, '0');
  return canonical(sign === '-', padded.slice(0, point), padded.slice(point));
}

export interface MoneyInputOptions {
  allowZero?: boolean;
  /** The reader's language writes decimals behind a comma, so a single one can mean nothing else. */
  decimalComma?: boolean;
}

/**
 * Checks what a person typed. Thousands separators are refused rather than guessed at: "1,000" means a
 * thousand to one reader and one to another.
 */
export function parseMoneyInput(text: string, options: MoneyInputOptions = {}): MoneyInput {
  const trimmed =
    options.decimalComma === true
      ? text.trim().replace(/^([^.,]*),([^.,]*)$/, '$1.$2')
      : text.trim();
  if (trimmed === '') return { ok: false, problem: 'empty' };
  if (trimmed.includes(',')) return { ok: false, problem: 'comma' };
  const match = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(trimmed);
  const [, sign = '', integer = '', fraction = ''] = match ?? [];
  if (!match || integer + fraction === '') return { ok: false, problem: 'not_a_number' };
  if (fraction.length > MAX_FRACTION_DIGITS) return { ok: false, problem: 'too_many_decimals' };
  const value = canonical(sign === '-', integer, fraction);
  if (value.startsWith('-')) return { ok: false, problem: 'negative' };
  if (value === '0' && options.allowZero !== true) return { ok: false, problem: 'zero' };
  if ((value.split('.')[0] ?? '').length > MAX_INTEGER_DIGITS) {
    return { ok: false, problem: 'too_large' };
  }
  return { ok: true, value };
}

export function negate(value: Money): Money {
  if (value === '0') return value;
  return (value.startsWith('-') ? value.slice(1) : `-${value}`) as Money;
}

export function addMoney(left: Money, right: Money): Money {
  const scale = Math.max(fractionOf(left).length, fractionOf(right).length);
  const sum = scaled(left, scale) + scaled(right, scale);
  const digits = (sum < 0n ? -sum : sum).toString().padStart(scale + 1, '0');
  const point = digits.length - scale;
  return canonical(sum < 0n, digits.slice(0, point), digits.slice(point));
}

export function isNegative(value: Money): boolean {
  return value.startsWith('-');
}

/** Negative, zero or positive, as a sort comparator wants it. */
export function compareMoney(left: Money, right: Money): number {
  const scale = Math.max(fractionOf(left).length, fractionOf(right).length);
  const difference = scaled(left, scale) - scaled(right, scale);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function fractionOf(value: Money): string {
  return value.split('.')[1] ?? '';
}

function scaled(value: Money, scale: number): bigint {
  const [integer = '0', fraction = ''] = value.split('.');
  return BigInt(integer + fraction.padEnd(scale, '0'));
}

/** For people: grouped digits, at least two decimals, `+` on request for positive amounts. */
export function formatMoney(
  value: Money,
  locale: string,
  options: { sign?: 'negative' | 'always' } = {},
): string {
  const negative = isNegative(value);
  const [integer = '0', fraction = ''] = (negative ? value.slice(1) : value).split('.');
  const whole = new Intl.NumberFormat(locale).format(BigInt(integer));
  const separator =
    new Intl.NumberFormat(locale, { minimumFractionDigits: 1 })
      .formatToParts(0)
      .find((part) => part.type === 'decimal')?.value ?? '.';
  const positiveSign = options.sign === 'always' && value !== '0' ? '+' : '';
  return `${negative ? '\u2212' : positiveSign}${whole}${separator}${fraction.padEnd(2, '0')}`;
}
