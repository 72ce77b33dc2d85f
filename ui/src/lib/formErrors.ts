import {
  ApiError,
  hasUnknownOutcome,
  isForbidden,
  isRateLimited,
  isUnauthenticated,
} from './apiError';
import { currentMessages } from './messages';

export interface FormErrors<Field extends string> {
  fields: Partial<Record<Field, string>>;
  /** What belongs to no field of the form. */
  form: string | null;
}

/** One sentence for people about a failed call. */
export function describeError(error: unknown): string {
  const messages = currentMessages();
  if (!(error instanceof ApiError)) return messages.errors.server;
  if (isRateLimited(error)) return messages.errors.rateLimited(error.retryAfterSeconds ?? 1);
  if (isForbidden(error)) return messages.errors.forbidden;
  if (isUnauthenticated(error)) return messages.errors.unauthenticated;
  if (error.kind === 'rejected') return error.detail ?? messages.errors.rejected;
  return messages.errors[error.kind];
}

/**
 * Sorts a failed submission's message onto the form. `fields` maps the API's member names to the form's
 * fields. A refusal that names no member goes to `fallback` when given: on a form of one field it can be
 * about nothing else.
 */
export function toFormErrors<Field extends string>(
  error: unknown,
  fields: Readonly<Record<string, Field>>,
  fallback?: Field,
): FormErrors<Field> {
  const result: FormErrors<Field> = { fields: {}, form: null };
  if (!(error instanceof ApiError) || error.kind !== 'rejected') {
    const retry = hasUnknownOutcome(error) ? ` ${currentMessages().errors.safeToRetry}` : '';
    result.form = describeError(error) + retry;
    return result;
  }
  const unplaced: string[] = [];
  for (const { field, detail } of error.fieldErrors) {
    // Both plain names and JSON Pointers are in use for problem documents' members.
    const target = fields[field.replace(/^[#/$.]+/, '')];
    if (target === undefined) unplaced.push(detail);
    else result.fields[target] ??= detail;
  }
  const placed = Object.keys(result.fields).length > 0;
  if (unplaced.length > 0) result.form = unplaced.join(' ');
  else if (!placed && fallback !== undefined) result.fields[fallback] = describeError(error);
  else if (!placed) result.form = describeError(error);
  return result;
}
