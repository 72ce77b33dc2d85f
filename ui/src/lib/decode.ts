import { isLosslessNumber } from 'lossless-json';
import { ApiError } from './apiError';
import { moneyFromLiteral, type Money } from './money';
import { parseUserId, type UserId } from './userId';

type JsonObject = Record<string, unknown>;

function malformed(what: string): ApiError {
  return new ApiError('malformed', { detail: `unexpected answer: ${what}` });
}

export function asObject(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(what);
  return value as JsonObject;
}

export function asArray(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw malformed(what);
  return value;
}

export function stringField(source: JsonObject, name: string): string {
  const value = source[name];
  if (typeof value !== 'string') throw malformed(name);
  return value;
}

/** An id, a number or text, as text. */
export function idField(source: JsonObject, name: string): string {
  const value = source[name];
  return isLosslessNumber(value) ? value.value : stringField(source, name);
}

/** Null, when the member is missing, null or empty. */
export function optionalStringField(source: JsonObject, name: string): string | null {
  const value = source[name];
  if (value === undefined || value === null || value === '') return null;
  return stringField(source, name);
}

export function moneyField(source: JsonObject, name: string): Money {
  const value = source[name];
  if (!isLosslessNumber(value)) throw malformed(name);
  return moneyFromLiteral(value.value);
}

export function userIdField(source: JsonObject, name: string): UserId {
  const value = source[name];
  const id = isLosslessNumber(value) ? parseUserId(value.value) : null;
  if (id === null) throw malformed(name);
  return id;
}

/** One page of a listing; `next` is the cursor of the following page, null on the last. */
export interface Page<Item> {
  items: Item[];
  next: string | null;
}

export function asPage<Item>(value: unknown, decodeItem: (item: unknown) => Item): Page<Item> {
  const page = asObject(value, 'page');
  const next = page.next;
  return {
    items: asArray(page.items, 'items').map(decodeItem),
    next: isLosslessNumber(next) ? next.value : optionalStringField(page, 'next'),
  };
}
