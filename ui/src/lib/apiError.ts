import type { Schemas } from '../api/operations';

/** One rejected member of a request, as `errors[]` of a problem document names it. */
export type FieldError = Schemas['FieldError'];

/**
 * What went wrong with a call:
 * - `network`: no answer (gateway away, connection lost), `timeout`: none in time;
 * - `unavailable`: the gateway or a proxy answered 502, 503 or 504;
 * - `rejected`: a 4xx, final unless the request changes;
 * - `server`: another 5xx;
 * - `malformed`: an answer that is not what the API promises.
 */
export type ApiErrorKind =
  'network' | 'timeout' | 'unavailable' | 'rejected' | 'server' | 'malformed';

export class ApiError extends Error {
  readonly kind: ApiErrorKind;
  /** HTTP status, absent when there was no answer. */
  readonly status: number | undefined;
  readonly detail: string | undefined;
  /** What `Retry-After` asked for. */
  readonly retryAfterSeconds: number | undefined;
  readonly fieldErrors: readonly FieldError[];

  constructor(
    kind: ApiErrorKind,
    options: {
      status?: number | undefined;
      detail?: string | undefined;
      retryAfterSeconds?: number | undefined;
      fieldErrors?: readonly FieldError[];
      cause?: unknown;
    } = {},
  ) {
    super(options.detail ?? kind, { cause: options.cause });
    this.name = 'ApiError';
    this.kind = kind;
    this.status = options.status;
    this.detail = options.detail;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.fieldErrors = options.fieldErrors ?? [];
  }
}

/** The other side is away for now; asking again later can help. */
export function isOutage(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    (error.kind === 'network' || error.kind === 'timeout' || error.kind === 'unavailable')
  );
}

const RETRYABLE_REJECTIONS: readonly (number | undefined)[] = [408, 409, 425, 429];

/** An unsafe call may have taken effect although it failed, or is still under way. */
export function hasUnknownOutcome(error: unknown): boolean {
  if (!(error instanceof ApiError)) return true;
  return error.kind !== 'rejected' || RETRYABLE_REJECTIONS.includes(error.status);
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** The token is missing, expired or forged. */
export function isUnauthenticated(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}

/** Known, but not allowed. */
export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}

/** Too many calls; the same one is fine a little later. */
export function isRateLimited(error: unknown): boolean {
  return error instanceof ApiError && error.status === 429;
}
