import { parse, stringify } from 'lossless-json';
import {
  addressOf,
  type AnswerOf,
  type InputOf,
  type Method,
  type PathOf,
  type Schemas,
} from '../api/operations';
import { ApiError, isUnauthenticated } from './apiError';
import type { Unverified } from './decode';
import { sessions } from './session';

const BASE_PATH = '/api';
const READ_TIMEOUT_MS = 15_000;
/** Longer than the gateway's own limit of 30 s, so that its answer is seen rather than cut off. */
const WRITE_TIMEOUT_MS = 35_000;

export interface RequestOptions<Answer, Result> {
  /** Turns what the answer is promised to be into the result, and throws where it is not. */
  decode: (body: Unverified<Answer>) => Result;
  idempotencyKey?: string;
  /** Ends the call early; its abort reason is thrown as it is. */
  signal?: AbortSignal;
  /** For routes that are open, and for those that hand out tokens. */
  anonymous?: boolean;
  /** Sent instead of the session's; the session has no part in the call then. */
  token?: string;
}

/**
 * Calls the gateway in the name of whoever is signed in. Every failure is an `ApiError`, except an abort
 * by the caller's signal. A refused token is renewed where that is possible, and the call made again: a
 * 401 is given before anything is done. Where it is not, the session ends.
 */
export async function request<M extends Method, Path extends PathOf<M>, Result>(
  method: M,
  path: Path,
  options: InputOf<M, Path> & RequestOptions<AnswerOf<M, Path>, Result>,
): Promise<Result> {
  const call: Call<AnswerOf<M, Path>, Result> = { ...options, method, template: path };
  if (options.anonymous === true) return send(call, null);
  if (options.token !== undefined) return send(call, options.token);
  const token = sessions.token();
  try {
    return await send(call, token);
  } catch (error) {
    if (token === null || !isUnauthenticated(error)) throw error;
    if (!(await sessions.renew(token))) {
      sessions.expire(token);
      throw error;
    }
    return send(call, sessions.token());
  }
}

/** A call whose parts have been checked against its operation. */
interface Call<Answer, Result> extends RequestOptions<Answer, Result> {
  method: Method;
  template: string;
  path?: Parameters<typeof addressOf>[1];
  query?: Parameters<typeof addressOf>[2];
  /** Sent as JSON; exact numbers go in as `LosslessNumber`. */
  body?: unknown;
}

async function send<Answer, Result>(
  { decode, method, template, path, query, body, idempotencyKey, signal }: Call<Answer, Result>,
  token: string | null,
): Promise<Result> {
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new ApiError('timeout')),
    method === 'GET' ? READ_TIMEOUT_MS : WRITE_TIMEOUT_MS,
  );
  const forwardAbort = () => deadline.abort(signal?.reason);
  signal?.addEventListener('abort', forwardAbort, { once: true });

  const headers: Record<string, string> = { accept: 'application/json' };
  if (token !== null) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;

  try {
    const response = await fetch(BASE_PATH + addressOf(template, path, query), {
      method,
      headers,
      body: body === undefined ? null : (stringify(body) ?? null),
      signal: deadline.signal,
    });
    const text = await response.text();
    if (!response.ok) throw errorFromResponse(response.status, text, response.headers);
    return decode(parseJson(text) as Unverified<Answer>);
  } catch (error) {
    if (signal?.aborted === true) throw error;
    if (error instanceof ApiError) throw error;
    if (deadline.signal.aborted) throw new ApiError('timeout', { cause: error });
    throw new ApiError('network', { cause: error });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', forwardAbort);
  }
}

function parseJson(text: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw new ApiError('malformed', { detail: 'unexpected answer: not JSON', cause });
  }
}

/** Reads problem+json, the gateway's `{error, code}` and, failing both, goes by the status alone. */
export function errorFromResponse(
  status: number,
  text: string,
  headers: Headers = new Headers(),
): ApiError {
  const kind =
    status >= 502 && status <= 504 ? 'unavailable' : status >= 500 ? 'server' : 'rejected';
  let body: unknown;
  try {
    body = parse(text);
  } catch {
    body = undefined;
  }
  const retryAfterSeconds = readRetryAfter(headers);
  if (typeof body !== 'object' || body === null) {
    return new ApiError(kind, { status, retryAfterSeconds });
  }
  const problem = body as { readonly [Name in keyof Schemas['Problem']]: unknown };
  return new ApiError(kind, {
    status,
    retryAfterSeconds,
    detail: firstText(problem.detail, problem.title, problem.error),
    fieldErrors: readFieldErrors(problem.errors),
  });
}

function readRetryAfter(headers: Headers): number | undefined {
  const seconds = headers.get('retry-after') ?? '';
  return /^\d{1,6}$/.test(seconds) ? Number(seconds) : undefined;
}

function firstText(...candidates: unknown[]): string | undefined {
  return candidates.find((value): value is string => typeof value === 'string' && value !== '');
}

function readFieldErrors(value: unknown): Schemas['FieldError'][] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) return [];
    const { field, detail } = entry as { readonly [Name in keyof Schemas['FieldError']]?: unknown };
    return typeof field === 'string' && typeof detail === 'string' ? [{ field, detail }] : [];
  });
}
