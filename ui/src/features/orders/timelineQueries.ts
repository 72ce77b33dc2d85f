import { useQuery } from '@tanstack/react-query';
import { request } from '../../lib/http';
import { outages } from '../../lib/outage';
import { timelineKey } from './orderCache';
import { pollDelay } from './pollDelay';
import { decodeTimeline, type Timeline } from './timeline';

/** Steps between two statuses are told of by no event, so it is looked at until it is complete. */
export function useTimeline(orderId: string) {
  return useQuery({
    queryKey: timelineKey(orderId),
    queryFn: ({ signal }): Promise<Timeline> =>
      outages.observe(
        'orders',
        request('GET', '/orders/{id}/timeline', {
          path: { id: orderId },
          decode: decodeTimeline,
          signal,
        }),
      ),
    refetchInterval: ({ state }) =>
      state.data === undefined || state.data.complete ? false : pollDelay(state.dataUpdateCount),
  });
}
