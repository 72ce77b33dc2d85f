import { describe, expect, it } from 'vitest';
import { ApiError } from './apiError';
import { randomUuid, SubmissionKey } from './idempotencyKey';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('randomUuid', () => {
  it('works without crypto.randomUUID, as outside secure contexts', () => {
    const insecure = { getRandomValues: crypto.getRandomValues.bind(crypto) };
    expect(randomUuid(insecure)).toMatch(UUID_V4);
    expect(randomUuid(insecure)).not.toBe(randomUuid(insecure));
    expect(randomUuid()).toMatch(UUID_V4);
  });
});

describe('SubmissionKey', () => {
  it.each([
    new ApiError('network'),
    new ApiError('timeout'),
    new ApiError('unavailable', { status: 503 }),
    new ApiError('rejected', { status: 429 }),
  ])('keeps the key while the outcome is unknown ($kind)', (error) => {
    const submission = new SubmissionKey();
    const key = submission.keyFor('5 Mug');
    submission.failed(error);
    expect(submission.keyFor('5 Mug')).toBe(key);
  });

  it('starts anew for other content, after a success and after a refusal', () => {
    const submission = new SubmissionKey();
    const first = submission.keyFor('5 Mug');
    const other = submission.keyFor('6 Mug');
    submission.succeeded();
    const again = submission.keyFor('6 Mug');
    submission.failed(new ApiError('rejected', { status: 400 }));
    const afterRefusal = submission.keyFor('6 Mug');
    expect(new Set([first, other, again, afterRefusal]).size).toBe(4);
  });
});
