import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { addReading, ratePerSecond, type Reading } from './publishRate';
import {
  fetchDeadLetters,
  fetchPipeline,
  settleDeadLetter,
  type DeadLetter,
  type Decision,
  type Direction,
  type ServiceStatus,
} from './pipelineApi';

const PIPELINE = ['pipeline'] as const;
const POLL_MS = 1500;
const DEAD_LETTER_POLL_MS = 5000;

export interface Pipeline {
  services: ServiceStatus[];
  /** The counters of outboxes as they were read lately, by service and outbox. */
  readings: ReadonlyMap<string, readonly Reading[]>;
}

const readingKey = (service: string, outbox: string) => `${service}/${outbox}`;

export function usePipeline() {
  const client = useQueryClient();
  const queryKey = [...PIPELINE, 'status'];
  return useQuery({
    queryKey,
    queryFn: async ({ signal }): Promise<Pipeline> => {
      const services = await fetchPipeline(signal);
      const before = client.getQueryData<Pipeline>(queryKey)?.readings;
      const readings = new Map<string, readonly Reading[]>();
      const atMs = performance.now();
      for (const service of services) {
        if (!service.available) continue;
        for (const { name, published } of service.status.outboxes) {
          const key = readingKey(service.service, name);
          readings.set(key, addReading(before?.get(key) ?? [], { count: published, atMs }));
        }
      }
      return { services, readings };
    },
    // Readings are a map, which cannot be compared member by member.
    structuralSharing: false,
    refetchInterval: POLL_MS,
  });
}

/** Rows per second; null until it can be told. */
export function publishRate(pipeline: Pipeline, service: string, outbox: string): number | null {
  return ratePerSecond(pipeline.readings.get(readingKey(service, outbox)) ?? []);
}

export function useDeadLetters(service: string, direction: Direction) {
  return useInfiniteQuery({
    queryKey: [...PIPELINE, 'dead-letters', service, direction],
    queryFn: ({ pageParam, signal }) => fetchDeadLetters(service, direction, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
    refetchInterval: DEAD_LETTER_POLL_MS,
  });
}

export function useSettleDeadLetter(service: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ letter, decision }: { letter: DeadLetter; decision: Decision }) =>
      settleDeadLetter(service, letter, decision),
    onSettled: () => client.invalidateQueries({ queryKey: PIPELINE }),
  });
}
