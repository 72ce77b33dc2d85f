import { vi } from 'vitest';
import { FakeSocket } from './fakeSocket';

export interface Call {
  method: string;
  path: string;
  idempotencyKey: string | null;
  authorization: string | null;
  /** The body as sent: amounts are compared as text. */
  body: string | null;
}

/** An answer; `Error` stands for a connection that fails. */
export type Answer = { status: number; body: string } | Error;

export type Route = (call: Call) => Answer | Promise<Answer>;

/** Stands in for `fetch`, and for a gateway in demo mode that pushes nothing; routes are named `GET /users/1`, queries left out. */
export class FakeGateway {
  readonly calls: Call[] = [];
  readonly #routes: Record<string, Route>;

  constructor(routes: Record<string, Route>) {
    this.#routes = routes;
    vi.stubGlobal('WebSocket', FakeSocket);
    FakeSocket.opened.length = 0;
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => this.#answer(url, init));
  }

  callsTo(name: string): Call[] {
    return this.calls.filter((call) => nameOf(call) === name);
  }

  async #answer(url: string, init: RequestInit): Promise<Response> {
    const call: Call = {
      method: init.method ?? 'GET',
      path: url.replace(/^\/api/, ''),
      authorization: new Headers(init.headers).get('authorization'),
      idempotencyKey: new Headers(init.headers).get('idempotency-key'),
      body: typeof init.body === 'string' ? init.body : null,
    };
    this.calls.push(call);
    const route = this.#routes[nameOf(call)] ?? DEFAULT_ROUTES[nameOf(call)];
    const answer = (await route?.(call)) ?? problem(404, 'no such route');
    if (answer instanceof Error) throw answer;
    return new Response(answer.body, { status: answer.status });
  }
}

const DEFAULT_ROUTES: Record<string, Route> = {
  'GET /auth/config': () => ok('{"mode":"demo"}'),
  'GET /auth/me': () => ok('{"user_id":1,"operator":false,"expires_at":"2099-01-01T00:00:00Z"}'),
};

/** The answer to who asks for a token for this user. */
export function demoToken(userId: string, token = `token-of-${userId}`): Answer {
  return ok(
    `{"token":"${token}","token_type":"Bearer","expires_in":3600,"expires_at":"2099-01-01T00:00:00Z","user_id":${userId},"operator":false}`,
  );
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
