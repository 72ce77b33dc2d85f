import { LosslessNumber } from 'lossless-json';
import type { Schemas } from '../../api/operations';
import { isNotFound } from '../../lib/apiError';
import {
  asObject,
  asPage,
  idField,
  moneyField,
  optionalStringField,
  stringField,
  userIdField,
  type Page,
  type Unverified,
} from '../../lib/decode';
import { request } from '../../lib/http';
import { outages } from '../../lib/outage';
import { negate, type Money } from '../../lib/money';
import type { UserId } from '../../lib/userId';

export interface Account {
  userId: UserId;
  balance: Money;
}

export interface LedgerEntry {
  id: string;
  /** `opening`, `top_up`, `withdrawal` or `payment`; an unknown kind is shown by its name. */
  kind: string;
  /** Signed: what the entry added to the balance. */
  amount: Money;
  balanceAfter: Money;
  orderId: string | null;
  createdAt: string;
}

export type BalanceDirection = 'top_up' | 'withdraw';

const LEDGER_PAGE_SIZE = 20;

function decodeAccount(body: Unverified<Schemas['Balance']>): Account {
  const source = asObject(body, 'account');
  return { userId: userIdField(source, 'user_id'), balance: moneyField(source, 'balance') };
}

function decodeEntry(body: Unverified<Schemas['LedgerEntry']>): LedgerEntry {
  const source = asObject(body, 'ledger entry');
  return {
    id: idField(source, 'id'),
    kind: stringField(source, 'kind'),
    amount: moneyField(source, 'amount'),
    balanceAfter: moneyField(source, 'balance_after'),
    orderId: optionalStringField(source, 'order_id'),
    createdAt: stringField(source, 'created_at'),
  };
}

/** Null for a user without an account. */
export async function fetchAccount(userId: UserId, signal: AbortSignal): Promise<Account | null> {
  try {
    return await outages.observe(
      'account',
      request('GET', '/users/{user_id}', {
        path: { user_id: userId },
        decode: decodeAccount,
        signal,
      }),
    );
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

export function createAccount(
  userId: UserId,
  openingBalance: Money,
  idempotencyKey: string,
): Promise<Account> {
  return outages.observe(
    'account',
    request('POST', '/users', {
      body: { user_id: new LosslessNumber(userId), balance: new LosslessNumber(openingBalance) },
      idempotencyKey,
      decode: decodeAccount,
    }),
  );
}

export function changeBalance(
  userId: UserId,
  direction: BalanceDirection,
  amount: Money,
  idempotencyKey: string,
): Promise<Account> {
  const change = direction === 'top_up' ? amount : negate(amount);
  return outages.observe(
    'account',
    request('PATCH', '/users/{user_id}', {
      path: { user_id: userId },
      body: { balance_change: new LosslessNumber(change) },
      idempotencyKey,
      decode: decodeAccount,
    }),
  );
}

export function fetchLedger(
  userId: UserId,
  after: string | null,
  signal: AbortSignal,
): Promise<Page<LedgerEntry>> {
  return outages.observe(
    'account',
    request('GET', '/users/{user_id}/ledger', {
      path: { user_id: userId },
      query: { limit: LEDGER_PAGE_SIZE, ...(after !== null && { after }) },
      decode: (body) => asPage(body, decodeEntry),
      signal,
    }),
  );
}
