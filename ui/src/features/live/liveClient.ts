import { decodeLiveMessage, type LiveEvent, type LiveMessage } from './liveMessages';
import { backoffMs, hintedMs } from './reconnectDelay';

/**
 * - `stopped`: not wanted, as nobody is signed in;
 * - `connecting`: under way, nothing heard yet;
 * - `live`: events arrive;
 * - `waiting`: will be tried again.
 */
export type LiveState = 'stopped' | 'connecting' | 'live' | 'waiting';

export interface LiveOptions {
  /** Without query, such as `wss://shop.example/ws`. */
  url: string;
  /** Null: nobody is signed in any more, so there is nothing to connect as. */
  token: () => string | null;
  onEvent: (event: LiveEvent) => void;
  /** Events may have been missed: whatever is shown has to be read anew. */
  onResync: () => void;
  /** A connection was refused before it opened, and a browser does not tell why. */
  onRefused: () => Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that hears nothing for this many heartbeats is dead, whatever the socket thinks. */
const SILENT_HEARTBEATS = 2.5;
/** One that lasted this long was no failure. */
const SETTLED_MS = 5000;
/** After announcing a close the gateway closes; if not, this side does. */
const ANNOUNCED_CLOSE_MS = 5000;

/**
 * One WebSocket that is always there: opened again after every end with growing, jittered pauses, or when
 * the gateway has asked for, going on after the last event that arrived.
 */
export class LiveClient {
  readonly #options: LiveOptions;
  readonly #listeners = new Set<() => void>();
  #state: LiveState = 'stopped';
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heartbeatMs = 15_000;
  #lastEventId: string | null = null;
  #failures = 0;
  #hintMs: number | null = null;
  #liveSince: number | null = null;
  /** Tells whether something else has begun while it was asked why a connection was refused. */
  #attempt = 0;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly state = (): LiveState => this.#state;

  start(): void {
    if (this.#state !== 'stopped') return;
    window.addEventListener('online', this.#hurry);
    document.addEventListener('visibilitychange', this.#hurry);
    this.#connect();
  }

  stop(): void {
    window.removeEventListener('online', this.#hurry);
    document.removeEventListener('visibilitychange', this.#hurry);
    this.#abandon(1000);
    this.#lastEventId = null;
    this.#failures = 0;
    this.#hintMs = null;
    this.#become('stopped');
  }

  /** Does not wait any longer for the next attempt. */
  retryNow(): void {
    if (this.#state === 'waiting') this.#connect();
  }

  /** Back online, or looked at again: timers of hidden pages are slow. */
  readonly #hurry = (): void => {
    if (document.visibilityState === 'visible') this.retryNow();
  };

  #connect(): void {
    clearTimeout(this.#timer);
    this.#become('connecting');
    const token = this.#options.token();
    if (token === null) this.stop();
    else this.#open(token);
  }

  #open(token: string): void {
    const resuming = this.#lastEventId !== null;
    const query = resuming ? `?last_event_id=${encodeURIComponent(this.#lastEventId ?? '')}` : '';
    // A browser cannot send headers with it, and addresses end up in logs: the token is a subprotocol.
    const socket = new WebSocket(this.#options.url + query, ['shop.v1', `bearer.${token}`]);
    this.#socket = socket;
    this.#expectWithin(CONNECT_TIMEOUT_MS);
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (this.#socket === socket) this.#receive(data, resuming);
    };
    socket.onclose = () => {
      if (this.#socket === socket) void this.#closed();
    };
  }

  #receive(data: unknown, resuming: boolean): void {
    if (this.#hintMs === null) this.#expectWithin(this.#heartbeatMs * SILENT_HEARTBEATS);
    let message: LiveMessage;
    try {
      message = decodeLiveMessage(data);
    } catch {
      // It may have been an event.
      this.#options.onResync();
      return;
    }
    switch (message.type) {
      case 'hello':
        this.#heartbeatMs = message.heartbeatSeconds * 1000;
        this.#expectWithin(this.#heartbeatMs * SILENT_HEARTBEATS);
        this.#lastEventId = message.lastEventId ?? (message.resumed ? this.#lastEventId : null);
        this.#liveSince = Date.now();
        this.#become('live');
        // What was read before the connection was there may be out of date as well.
        if (!resuming || !message.resumed) this.#options.onResync();
        break;
      case 'order':
      case 'account':
        this.#lastEventId = message.id;
        this.#options.onEvent(message);
        break;
      case 'ping':
        this.#socket?.send('{"type":"pong"}');
        break;
      case 'resync':
        this.#options.onResync();
        break;
      case 'reconnect':
        this.#hintMs = message.afterMs;
        this.#expectWithin(ANNOUNCED_CLOSE_MS);
        break;
      case 'unknown':
        break;
    }
  }

  async #closed(): Promise<void> {
    const wasLive = this.#liveSince !== null;
    const lasted = Date.now() - (this.#liveSince ?? Date.now());
    this.#abandon(1000);
    if (lasted >= SETTLED_MS) this.#failures = 0;
    const attempt = this.#attempt;
    this.#become('waiting');
    if (!wasLive) {
      // Ends the session when the token is why.
      await this.#options.onRefused().catch(() => undefined);
    }
    if (attempt === this.#attempt && this.#state === 'waiting') this.#retryLater();
  }

  #retryLater(): void {
    const pause = this.#hintMs === null ? backoffMs(this.#failures) : hintedMs(this.#hintMs);
    this.#hintMs = null;
    this.#failures += 1;
    this.#become('waiting');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), pause);
  }

  /** The watchdog: a silent connection is closed by this side. */
  #expectWithin(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#closed(), ms);
  }

  /** Whatever the socket still does is of no interest. */
  #abandon(code: number): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    this.#liveSince = null;
    this.#attempt += 1;
    socket?.close(code);
  }

  #become(state: LiveState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#listeners.forEach((listener) => listener());
  }
}
