import { LosslessNumber } from 'lossless-json';
import { describe, expect, it, vi } from 'vitest';
import { ApiError } from './apiError';
import { asObject, moneyField } from './decode';
import { errorFromResponse, request } from './http';

function answering(response: () => Promise<Response>) {
  const fetch = vi.fn<(url: string, init: RequestInit) => Promise<Response>>(response);
  vi.stubGlobal('fetch', fetch);
  return fetch;
}

async function failureOf(call: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ApiError)) throw new Error('expected an ApiError');
  return error;
}

const ask = (signal?: AbortSignal) =>
  request('GET', '/auth/me', { decode: (body) => body, ...(signal && { signal }) });

describe('request', () => {
  it('reads and writes numbers without rounding them', async () => {
    const fetch = answering(() =>
      Promise.resolve(new Response('{"balance":999999999999999.9999}')),
    );
    const result = await request('PATCH', '/users/{user_id}', {
      path: { user_id: '9223372036854775807' },
      body: { balance_change: new LosslessNumber('999999999999999.9999') },
      idempotencyKey: 'key-1',
      decode: (body) => moneyField(asObject(body, 'balance'), 'balance'),
    });
    expect(result).toBe('999999999999999.9999');
    const [url, init] = fetch.mock.calls[0] ?? [];
    expect(url).toBe('/api/users/9223372036854775807');
    expect(init?.body).toBe('{"balance_change":999999999999999.9999}');
    expect(new Headers(init?.headers).get('idempotency-key')).toBe('key-1');
  });

  it('tells a failed connection', async () => {
    answering(() => Promise.reject(new TypeError('fetch failed')));
    expect(await failureOf(ask())).toMatchObject({ kind: 'network' });
  });

  it('tells an answer that does not come', async () => {
    vi.useFakeTimers();
    try {
      vi.stubGlobal('fetch', (_url: string, init: RequestInit) => {
        return new Promise((_resolve, reject) => {
          init.signal?.addEventListener('abort', () => reject(new Error('aborted')));
        });
      });
      const failure = failureOf(ask());
      await vi.advanceTimersByTimeAsync(60_000);
      expect(await failure).toMatchObject({ kind: 'timeout' });
    } finally {
      vi.useRealTimers();
    }
  });

  it('tells an answer that is not JSON', async () => {
    answering(() => Promise.resolve(new Response('<!doctype html>')));
    expect(await failureOf(ask())).toMatchObject({ kind: 'malformed' });
  });

  it('passes an abort by the caller on as it is', async () => {
    const abort = new AbortController();
    const reason = new Error('left the page');
    vi.stubGlobal('fetch', (_url: string, init: RequestInit) => {
      abort.abort(reason);
      return Promise.reject(init.signal?.reason as Error);
    });
    await expect(ask(abort.signal)).rejects.toBe(reason);
  });
});

describe('errorFromResponse', () => {
  it('keeps a problem document’s detail and fields', () => {
    const body = JSON.stringify({
      title: 'Invalid request',
      status: 400,
      detail: 'amount: must be greater than zero',
      errors: [{ field: 'amount', detail: 'must be greater than zero' }, 'nonsense'],
    });
    expect(errorFromResponse(400, body)).toMatchObject({
      kind: 'rejected',
      status: 400,
      detail: 'amount: must be greater than zero',
      fieldErrors: [{ field: 'amount', detail: 'must be greater than zero' }],
    });
  });

  it.each([502, 503, 504])('takes %i for an outage', (status) => {
    const error = errorFromResponse(status, `{"error":"Service Unavailable","code":${status}}`);
    expect(error).toMatchObject({ kind: 'unavailable', detail: 'Service Unavailable' });
  });

  it('copes with plain text and nothing at all', () => {
    expect(errorFromResponse(500, 'Internal server error')).toMatchObject({ kind: 'server' });
    expect(errorFromResponse(404, '')).toMatchObject({ kind: 'rejected', detail: undefined });
  });
});
