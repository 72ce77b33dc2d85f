import { expect, it } from 'vitest';
import { addReading, ratePerSecond, type Reading } from './publishRate';

function read(...counts: [count: number, atMs: number][]): Reading[] {
  return counts.reduce<Reading[]>(
    (readings, [count, atMs]) => addReading(readings, { count, atMs }),
    [],
  );
}

it('is what was counted in the last seconds', () => {
  expect(ratePerSecond(read([100, 0], [130, 1500], [160, 3000]))).toBe(20);
  expect(ratePerSecond(read([0, 0], [1000, 1000], [1000, 12_000], [1000, 20_000]))).toBe(0);
});

it('is not known from one reading, nor right after a restart of the sidecar', () => {
  expect(ratePerSecond(read([100, 0]))).toBeNull();
  expect(ratePerSecond(read([100, 0], [5, 1500]))).toBeNull();
  expect(ratePerSecond(read([100, 0], [5, 1500], [8, 3000]))).toBe(2);
});
