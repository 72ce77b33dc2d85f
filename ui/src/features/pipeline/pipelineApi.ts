import { isLosslessNumber } from 'lossless-json';
import type { Schemas } from '../../api/operations';
import {
  asArray,
  asObject,
  asOptionalArray,
  asOptionalObject,
  asOpenObject,
  booleanField,
  numberField,
  optionalNumberField,
  optionalStringField,
  stringField,
  type OpenObject,
  type Unverified,
} from '../../lib/decode';
import { request } from '../../lib/http';

/** A bucket and the relay that publishes it, if any does. */
export interface Lease {
  bucket: number;
  owner: string | null;
}

export interface OutboxStatus {
  name: string;
  waitingFor: string | null;
  /** Rows published since the sidecar started. */
  published: number;
  pendingRows: number;
  oldestPendingAgeSeconds: number | null;
  /** Null where the sidecar does not tell. */
  parkedKeys: number | null;
  deadLetters: number | null;
  /** This sidecar, as it stands in the leases. */
  relay: string | null;
  leases: Lease[];
}

export interface InboxStatus {
  name: string;
  waitingFor: string | null;
  ownedPartitions: number;
  queued: number;
  inFlight: number;
  parkedKeys: number;
  deadLetters: number | null;
}

export interface SidecarStatus {
  waitingFor: string | null;
  reloadProblem: string | null;
  outboxes: OutboxStatus[];
  inboxes: InboxStatus[];
}

export type ServiceStatus =
  | { service: string; available: true; status: SidecarStatus }
  | { service: string; available: false; error: string };

export type Direction = Schemas['Direction'];

export interface DeadLetter {
  side: Direction;
  name: string;
  /** A row's position, or a message's id. */
  id: string;
  key: string | null;
  origin: string | null;
  attempts: number;
  reason: string;
  deadAt: string;
}

export interface DeadLetterPage {
  items: DeadLetter[];
  nextCursor: string | null;
}

export type Decision = 'retry' | 'skip';

export interface Settled {
  settled: number;
  /** Those whose row is no longer there. */
  gone: number;
}

function relayName(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return isLosslessNumber(value) ? value.value : typeof value === 'string' ? value : null;
}

function members(source: OpenObject, name: string): [string, OpenObject][] {
  return Object.entries(asOpenObject(source[name], name)).map(([key, value]) => [
    key,
    asOpenObject(value, name),
  ]);
}

function decodeOutbox([name, source]: [string, OpenObject]): OutboxStatus {
  return {
    name,
    waitingFor: optionalStringField(source, 'waitingFor'),
    published: numberField(source, 'published'),
    pendingRows: numberField(source, 'pendingRows'),
    oldestPendingAgeSeconds: optionalNumberField(source, 'oldestPendingAgeSeconds'),
    parkedKeys: optionalNumberField(source, 'parkedKeys'),
    deadLetters: optionalNumberField(source, 'deadLetters'),
    relay: relayName(source.relay),
    leases: asOptionalArray<object>(source.leases, 'leases').map((item) => {
      const lease = asOpenObject(item, 'lease');
      return { bucket: numberField(lease, 'bucket'), owner: relayName(lease.owner) };
    }),
  };
}

function decodeInbox([name, source]: [string, OpenObject]): InboxStatus {
  return {
    name,
    waitingFor: optionalStringField(source, 'waitingFor'),
    ownedPartitions: numberField(source, 'ownedPartitions'),
    queued: numberField(source, 'queued'),
    inFlight: numberField(source, 'inFlight'),
    parkedKeys: numberField(source, 'parkedKeys'),
    deadLetters: optionalNumberField(source, 'deadLetters'),
  };
}

export function decodePipeline(body: Unverified<Schemas['PipelineOverview']>): ServiceStatus[] {
  return asArray(asObject(body, 'pipeline').services, 'services').map((item) => {
    const source = asObject(item, 'service');
    const service = stringField(source, 'service');
    if (!booleanField(source, 'available')) {
      return { service, available: false, error: optionalStringField(source, 'error') ?? '' };
    }
    const status = asOpenObject(source.status, 'status');
    return {
      service,
      available: true,
      status: {
        waitingFor: optionalStringField(status, 'waitingFor'),
        reloadProblem: optionalStringField(status, 'reloadProblem'),
        outboxes: members(status, 'outboxes').map(decodeOutbox),
        inboxes: members(status, 'inboxes').map(decodeInbox),
      },
    };
  });
}

function decodeDeadLetter(body: Unverified<Schemas['DeadLetter']>): DeadLetter {
  const source = asObject(body, 'dead letter');
  const side = stringField(source, 'side');
  return {
    side: side === 'inbox' ? 'inbox' : 'outbox',
    name: stringField(source, 'name'),
    id: stringField(source, 'id'),
    key: optionalStringField(source, 'key'),
    origin: decodeOrigin(source.origin),
    attempts: numberField(source, 'attempts'),
    reason: stringField(source, 'reason'),
    deadAt: stringField(source, 'deadAt'),
  };
}

function decodeOrigin(value: Unverified<Schemas['DeadLetterOrigin'] | null>): string | null {
  const place = asOptionalObject(value, 'origin');
  if (place === null) return null;
  return [
    stringField(place, 'topic'),
    numberField(place, 'partition'),
    numberField(place, 'offset'),
  ].join(' / ');
}

export function fetchPipeline(signal: AbortSignal): Promise<ServiceStatus[]> {
  return request('GET', '/operator/pipeline', { decode: decodePipeline, signal });
}

const DEAD_LETTER_PAGE_SIZE = 50;

export function fetchDeadLetters(
  service: string,
  direction: Direction,
  cursor: string | null,
  signal: AbortSignal,
): Promise<DeadLetterPage> {
  return request('GET', '/operator/pipeline/{service}/dead-letters', {
    path: { service },
    query: { direction, limit: DEAD_LETTER_PAGE_SIZE, ...(cursor !== null && { cursor }) },
    signal,
    decode: (body) => {
      const page = asObject(body, 'dead letters');
      return {
        items: asArray(page.items, 'items').map(decodeDeadLetter),
        nextCursor: optionalStringField(page, 'next_cursor'),
      };
    },
  });
}

/** Each decision is noted in the sidecar's audit with who made it. */
export function settleDeadLetter(
  service: string,
  letter: DeadLetter,
  decision: Decision,
): Promise<Settled> {
  return request('POST', `/operator/pipeline/{service}/dead-letters/${decision}`, {
    path: { service },
    body: { [letter.side]: letter.name, id: letter.id },
    decode: (body) => {
      const source = asObject(body, 'outcome');
      return {
        settled: numberField(source, 'settled'),
        gone: asOptionalArray(source.gone, 'gone').length,
      };
    },
  });
}
