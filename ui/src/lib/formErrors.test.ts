import { describe, expect, it } from 'vitest';
import { ApiError, type FieldError } from './apiError';
import { toFormErrors } from './formErrors';
import { en as messages } from '../locales/en';

const fields = { amount: 'amount', description: 'text' } as const;

function rejected(detail: string, fieldErrors: FieldError[] = []): ApiError {
  return new ApiError('rejected', { status: 400, detail, fieldErrors });
}

describe('toFormErrors', () => {
  it('puts each message next to its field', () => {
    const error = rejected('two things', [
      { field: 'amount', detail: 'too much' },
      { field: '/description', detail: 'too long' },
    ]);
    expect(toFormErrors(error, fields)).toEqual({
      fields: { amount: 'too much', text: 'too long' },
      form: null,
    });
  });

  it('shows what belongs to no field above the button', () => {
    const error = rejected('x', [{ field: 'user_id', detail: 'must be positive' }]);
    expect(toFormErrors(error, fields)).toEqual({ fields: {}, form: 'must be positive' });
  });

  it('gives a refusal without fields to the fallback field, or to the form', () => {
    const error = rejected('Insufficient funds');
    expect(toFormErrors(error, fields, 'amount').fields).toEqual({ amount: 'Insufficient funds' });
    expect(toFormErrors(error, fields).form).toBe('Insufficient funds');
  });

  it('says that trying again is safe when the outcome is unknown', () => {
    const { form } = toFormErrors(new ApiError('network'), fields, 'amount');
    expect(form).toContain(messages.errors.network);
    expect(form).toContain(messages.errors.safeToRetry);
  });
});
