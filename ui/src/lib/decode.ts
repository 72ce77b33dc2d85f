import { isLosslessNumber, type LosslessNumber } from 'lossless-json';
import { ApiError } from './apiError';
import { moneyFromLiteral, type Money } from './money';
import { parseUserId, type UserId } from './userId';

declare const promised: unique symbol;

/**
 * What has arrived where the API's document promises a `Promised`. It may be anything; the functions below
 * look, and are the only way to its value. A member that the document does not know, or knows to be of
 * another type, is an error of the compiler; an answer that breaks the promise is a `malformed` one.
 */
export interface Unverified<Promised> {
  readonly [promised]: Promised;
}

/** An object whose members nobody has looked at yet. */
export type UnverifiedMembers<Promised> = {
  readonly [Name in keyof Promised]: Unverified<Promised[Name]>;
};

/** An object whose members the document does not tell. */
export type OpenObject = Readonly<Record<string, Unverified<never>>>;

/** The members that are promised to be there and of this type; any, where the document tells of none. */
type NameOf<Source, Type> = string extends keyof Source
  ? string
  : {
      [Name in keyof Source]-?: Source[Name] extends Unverified<Type> ? Name : never;
    }[keyof Source] &
      string;

/** The members that are of this type where they are there. */
type OptionalNameOf<Source, Type> = NameOf<
  { [Name in keyof Source]-?: NonNullable<Source[Name]> },
  Type | null | undefined
>;

function malformed(what: string): ApiError {
  return new ApiError('malformed', { detail: `unexpected answer: ${what}` });
}

function read(source: object, name: string): unknown {
  return (source as Readonly<Record<string, unknown>>)[name];
}

export function asObject<Promised>(
  value: Unverified<Promised>,
  what: string,
): UnverifiedMembers<Promised> {
  if (typeof value !== 'object' || Array.isArray(value)) throw malformed(what);
  // Its type says otherwise, but nobody has looked yet.
  if ((value as unknown) === null) throw malformed(what);
  return value as unknown as UnverifiedMembers<Promised>;
}

/** Null, when there is none. */
export function asOptionalObject<Promised>(
  value: Unverified<Promised | null | undefined> | undefined,
  what: string,
): UnverifiedMembers<Promised> | null {
  // Missing, whatever its type says.
  if (value === undefined || (value as unknown) === null) return null;
  return asObject(value as Unverified<Promised>, what);
}

/** An object that the document leaves open; one that is not there has no members. */
export function asOpenObject(
  value: Unverified<object | undefined> | undefined,
  what: string,
): OpenObject {
  return (asOptionalObject(value, what) ?? {}) as OpenObject;
}

export function asArray<Item>(
  value: Unverified<readonly Item[]>,
  what: string,
): Unverified<Item>[] {
  if (!Array.isArray(value)) throw malformed(what);
  return value as Unverified<Item>[];
}

/** Empty, when there is none. */
export function asOptionalArray<Item>(
  value: Unverified<readonly Item[] | undefined> | undefined,
  what: string,
): Unverified<Item>[] {
  return value === undefined ? [] : asArray(value as Unverified<readonly Item[]>, what);
}

export function stringField<Source extends object>(
  source: Source,
  name: NameOf<Source, string>,
): string {
  const value = read(source, name);
  if (typeof value !== 'string') throw malformed(name);
  return value;
}

export function booleanField<Source extends object>(
  source: Source,
  name: NameOf<Source, boolean>,
): boolean {
  const value = read(source, name);
  if (typeof value !== 'boolean') throw malformed(name);
  return value;
}

/** A count or a measurement; not for money and ids, which must stay exact. */
export function numberField<Source extends object>(
  source: Source,
  name: NameOf<Source, LosslessNumber>,
): number {
  const value = read(source, name);
  if (!isLosslessNumber(value)) throw malformed(name);
  return Number(value.value);
}

export function optionalNumberField<Source extends object>(
  source: Source,
  name: OptionalNameOf<Source, LosslessNumber>,
): number | null {
  const value = read(source, name);
  if (value === undefined || value === null) return null;
  if (!isLosslessNumber(value)) throw malformed(name);
  return Number(value.value);
}

/** An id, a number or text, as text. */
export function idField<Source extends object>(
  source: Source,
  name: NameOf<Source, LosslessNumber | string>,
): string {
  const value = read(source, name);
  if (typeof value === 'string') return value;
  if (!isLosslessNumber(value)) throw malformed(name);
  return value.value;
}

/** Null, when the member is missing, null or empty. */
export function optionalStringField<Source extends object>(
  source: Source,
  name: OptionalNameOf<Source, string>,
): string | null {
  const value = read(source, name);
  if (value === undefined || value === null || value === '') return null;
  if (typeof value !== 'string') throw malformed(name);
  return value;
}

export function moneyField<Source extends object>(
  source: Source,
  name: NameOf<Source, LosslessNumber>,
): Money {
  const value = read(source, name);
  if (!isLosslessNumber(value)) throw malformed(name);
  return moneyFromLiteral(value.value);
}

/** Money that is told as text. */
export function moneyTextField<Source extends object>(
  source: Source,
  name: NameOf<Source, string>,
): Money {
  const text = stringField(source, name);
  try {
    return moneyFromLiteral(text);
  } catch {
    throw malformed(name);
  }
}

export function userIdField<Source extends object>(
  source: Source,
  name: NameOf<Source, LosslessNumber>,
): UserId {
  const value = read(source, name);
  const id = isLosslessNumber(value) ? parseUserId(value.value) : null;
  if (id === null) throw malformed(name);
  return id;
}

export function optionalUserIdField<Source extends object>(
  source: Source,
  name: OptionalNameOf<Source, LosslessNumber>,
): UserId | null {
  const value = read(source, name);
  return isLosslessNumber(value) ? parseUserId(value.value) : null;
}

/** One page of a listing; `next` is the cursor of the following page, null on the last. */
export interface Page<Item> {
  items: Item[];
  next: string | null;
}

/** A listing as a page, which it is where a limit was asked for. */
export function asPage<Wire, Item>(
  value: Unverified<{ items: Wire[]; next: string | null } | Wire[]>,
  decodeItem: (item: Unverified<Wire>) => Item,
): Page<Item> {
  const page = asObject(value as Unverified<{ items: Wire[]; next: string | null }>, 'page');
  return {
    items: asArray(page.items, 'items').map(decodeItem),
    next: optionalStringField(page, 'next'),
  };
}
