import { ApiError, isOutage } from './apiError';

/** The back-end parts that can be away independently of each other. */
export type Service = 'account' | 'orders';

/** What is known to be away; `network` when nothing answers at all. */
export type Outage = { kind: 'network' } | { kind: 'service'; services: readonly Service[] } | null;

/**
 * Remembers which service last failed to answer. It follows the calls the app makes anyway and makes
 * none of its own.
 */
export class OutageTracker {
  readonly #failing = new Map<Service, 'network' | 'service'>();
  readonly #listeners = new Set<() => void>();
  #snapshot: Outage = null;

  /** Runs a call and notes its outcome; an answer of any sort, a refusal too, means reachable. */
  async observe<Result>(service: Service, call: Promise<Result>): Promise<Result> {
    try {
      const result = await call;
      this.#note(service, null);
      return result;
    } catch (error) {
      if (isOutage(error)) {
        const kind = error instanceof ApiError && error.status === undefined;
        this.#note(service, kind ? 'network' : 'service');
      } else if (error instanceof ApiError) {
        this.#note(service, null);
      }
      throw error;
    }
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly current = (): Outage => this.#snapshot;

  #note(service: Service, state: 'network' | 'service' | null): void {
    if ((this.#failing.get(service) ?? null) === state) return;
    if (state === null) this.#failing.delete(service);
    else this.#failing.set(service, state);
    this.#snapshot = this.#summarise();
    this.#listeners.forEach((listener) => listener());
  }

  #summarise(): Outage {
    if (this.#failing.size === 0) return null;
    if ([...this.#failing.values()].includes('network')) return { kind: 'network' };
    return { kind: 'service', services: [...this.#failing.keys()].sort() };
  }
}

export const outages = new OutageTracker();
