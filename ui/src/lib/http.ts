import { parse, stringify } from 'lossless-json';
import { ApiError, type FieldError } from './apiError';

const BASE_PATH = '/api';
const READ_TIMEOUT_MS = 15_000;
/** Longer than the gateway's own limit of 30 s, so that its answer is seen rather than cut off. */
const WRITE_TIMEOUT_MS = 35_000;

export interface RequestOptions<Result> {
  /** Turns the parsed body into the result; numbers arrive as `LosslessNumber`. */
  decode: (body: unknown) => Result;
  method?: 'GET' | 'POST' | 'PATCH';
  /** Sent as JSON; exact numbers go in as `LosslessNumber`. */
  body?: unknown;
  idempotencyKey?: string;
  /** Ends the call early; its abort reason is thrown as it is. */
  signal?: AbortSignal;
}

/** Calls the gateway. Every failure is an `ApiError`, except an abort by the caller's signal. */
export async function request<Result>(
  path: string,
  { decode, method = 'GET', body, idempotencyKey, signal }: RequestOptions<Result>,
): Promise<Result> {
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new ApiError('timeout')),
    method === 'GET' ? READ_TIMEOUT_MS : WRITE_TIMEOUT_MS,
  );
  const forwardAbort = () => deadline.abort(signal?.reason);
  signal?.addEventListener('abort', forwardAbort, { once: true });

  const headers: Record<string, string> = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;

  try {
    const response = await fetch(BASE_PATH + path, {
      method,
      headers,
      body: body === undefined ? null : (stringify(body) ?? null),
      signal: deadline.signal,
    });
    const text = await response.text();
    if (!response.ok) throw errorFromResponse(response.status, text);
    return decode(parseJson(text));
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
export function errorFromResponse(status: number, text: string): ApiError {
  const kind =
    status >= 502 && status <= 504 ? 'unavailable' : status >= 500 ? 'server' : 'rejected';
  let body: unknown;
  try {
    body = parse(text);
  } catch {
    body = undefined;
  }
  if (typeof body !== 'object' || body === null) return new ApiError(kind, { status });
  const problem = body as Record<string, unknown>;
  return new ApiError(kind, {
    status,
    detail: firstText(problem.detail, problem.title, problem.error),
    fieldErrors: readFieldErrors(problem.errors),
  });
}

function firstText(...candidates: unknown[]): string | undefined {
  return candidates.find((value): value is string => typeof value === 'string' && value !== '');
}

function readFieldErrors(value: unknown): FieldError[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) return [];
    const { field, detail } = entry as Record<string, unknown>;
    return typeof field === 'string' && typeof detail === 'string' ? [{ field, detail }] : [];
  });
}
