import { vi } from 'vitest';

export interface Call {
  method: string;
  path: string;
  idempotencyKey: string | null;
  /** The body as sent: amounts are compared as text. */
  body: string | null;
}

/** An answer; `Error` stands for a connection that fails. */
export type Answer = { status: number; body: string } | Error;

export type Route = (call: Call) => Answer;

/** Stands in for `fetch`; routes are named `GET /users/1`, queries left out. */
export class FakeGateway {
  readonly calls: Call[] = [];
  readonly #routes: Record<string, Route>;

  constructor(routes: Record<string, Route>) {
    this.#routes = routes;
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => this.#answer(url, init));
  }

  callsTo(name: string): Call[] {
    return this.calls.filter((call) => nameOf(call) === name);
  }

  #answer(url: string, init: RequestInit): Promise<Response> {
    const call: Call = {
      method: init.method ?? 'GET',
      path: url.replace(/^\/api/, ''),
      idempotencyKey: new Headers(init.headers).get('idempotency-key'),
      body: typeof init.body === 'string' ? init.body : null,
    };
    this.calls.push(call);
    const answer = this.#routes[nameOf(call)]?.(call) ?? problem(404, 'no such route');
    if (answer instanceof Error) return Promise.reject(answer);
    return Promise.resolve(new Response(answer.body, { status: answer.status }));
  }
}

function nameOf(call: Call): string {
  return `${call.method} ${call.path.split('?')[0] ?? ''}`;
}

export function ok(body: string): Answer {
  return { status: 200, body };
}

export function problem(
  status: number,
  detail: string,
  errors?: { field: string; detail: string }[],
): Answer {
  return {
    status,
    body: JSON.stringify({ type: 'about:blank', title: 'T', status, detail, errors }),
  };
}

export const connectionLost = new TypeError('fetch failed');

export function orderJson(order: {
  id: string;
  status: string;
  amount?: string;
  description?: string;
  reason?: string;
}): string {
  const { id, status, amount = '5.0000', description = 'Mug', reason = null } = order;
  return `{"id":"${id}","user_id":1,"description":${JSON.stringify(description)},"amount":${amount},"status":"${status}","reason":${JSON.stringify(reason)},"created_at":"2026-11-22T12:00:00Z"}`;
}

export function pageJson(items: string[], next: string | null = null): string {
  return `{"items":[${items.join(',')}],"next":${JSON.stringify(next)}}`;
}
