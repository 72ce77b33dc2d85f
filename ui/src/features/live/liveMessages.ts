import { parse } from 'lossless-json';
import type { Schemas } from '../../api/operations';
import { ApiError } from '../../lib/apiError';
import {
  asObject,
  booleanField,
  moneyTextField,
  numberField,
  optionalStringField,
  stringField,
  userIdField,
  type Unverified,
} from '../../lib/decode';
import type { Money } from '../../lib/money';
import type { UserId } from '../../lib/userId';

/** An order's service has committed this status. */
export interface OrderEvent {
  type: 'order';
  id: string;
  orderId: string;
  userId: UserId;
  status: string;
  reason: string | null;
  amount: Money;
  at: string;
}

/** A user's balance or ledger has changed. */
export interface AccountEvent {
  type: 'account';
  id: string;
  userId: UserId;
}

export type LiveEvent = OrderEvent | AccountEvent;

export type LiveMessage =
  | LiveEvent
  | { type: 'hello'; resumed: boolean; heartbeatSeconds: number; lastEventId: string | null }
  | { type: 'ping' }
  | { type: 'resync' }
  | { type: 'reconnect'; afterMs: number }
  /** Of a newer gateway. */
  | { type: 'unknown' };

type Promised = Schemas['LiveMessage'];
type PromisedOf<Type extends Promised['type']> = Extract<Promised, { type: Type }>;

/** Throws an `ApiError` of kind `malformed` on what is no message. */
export function decodeLiveMessage(data: unknown): LiveMessage {
  const frame = parseFrame(data);
  switch (stringField(asObject(frame, 'live message'), 'type')) {
    case 'hello':
      return decodeHello(frame as Unverified<PromisedOf<'hello'>>);
    case 'order':
      return decodeOrderEvent(frame as Unverified<PromisedOf<'order'>>);
    case 'account':
      return decodeAccountEvent(frame as Unverified<PromisedOf<'account'>>);
    case 'ping':
      return { type: 'ping' };
    case 'resync':
      return { type: 'resync' };
    case 'reconnect':
      return decodeReconnect(frame as Unverified<PromisedOf<'reconnect'>>);
    default:
      return { type: 'unknown' };
  }
}

function decodeHello(frame: Unverified<PromisedOf<'hello'>>): LiveMessage {
  const source = asObject(frame, 'hello');
  return {
    type: 'hello',
    resumed: booleanField(source, 'resumed'),
    heartbeatSeconds: numberField(source, 'heartbeat_seconds'),
    lastEventId: optionalStringField(source, 'last_event_id'),
  };
}

function decodeOrderEvent(frame: Unverified<PromisedOf<'order'>>): OrderEvent {
  const source = asObject(frame, 'order event');
  return {
    type: 'order',
    id: stringField(source, 'id'),
    orderId: stringField(source, 'order_id'),
    userId: userIdField(source, 'user_id'),
    status: stringField(source, 'status'),
    reason: optionalStringField(source, 'reason'),
    amount: moneyTextField(source, 'amount'),
    at: stringField(source, 'at'),
  };
}

function decodeAccountEvent(frame: Unverified<PromisedOf<'account'>>): AccountEvent {
  const source = asObject(frame, 'account event');
  return { type: 'account', id: stringField(source, 'id'), userId: userIdField(source, 'user_id') };
}

function decodeReconnect(frame: Unverified<PromisedOf<'reconnect'>>): LiveMessage {
  return { type: 'reconnect', afterMs: numberField(asObject(frame, 'reconnect'), 'after_ms') };
}

function parseFrame(data: unknown): Unverified<Promised> {
  try {
    return parse(String(data)) as Unverified<Promised>;
  } catch (cause) {
    throw new ApiError('malformed', { detail: 'unexpected answer: not JSON', cause });
  }
}
