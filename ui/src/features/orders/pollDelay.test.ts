import { expect, it } from 'vitest';
import { pollDelay } from './pollDelay';

it('is quick at first, then backs off to a few seconds and no further', () => {
  const delays = Array.from({ length: 60 }, (_, polls) => pollDelay(polls));
  expect(delays.slice(0, 10).every((delay) => delay === 300)).toBe(true);
  expect(delays).toEqual([...delays].sort((left, right) => left - right));
  expect(delays.at(-1)).toBe(4000);
});
