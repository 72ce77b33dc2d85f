import { QueryClient } from '@tanstack/react-query';
import { ApiError, isOutage } from '../lib/apiError';

const FIRST_RETRY_MS = 500;
const SLOWEST_RETRY_MS = 4000;

/**
 * Reads go on trying for as long as the other side is away, an internal error gets two more tries, and
 * everything else is final. Writes are never repeated without the person asking.
 */
export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        networkMode: 'always',
        staleTime: 1000,
        retry: (failures, error) =>
          isOutage(error) || (error instanceof ApiError && error.kind === 'server' && failures < 2),
        retryDelay: (failures) => Math.min(SLOWEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures),
      },
      mutations: { networkMode: 'always', retry: false },
    },
  });
}
