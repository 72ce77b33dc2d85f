/** Stands in for `WebSocket`; the test plays the gateway's side. */
export class FakeSocket {
  static readonly opened: FakeSocket[] = [];

  readonly url: string;
  readonly protocols: readonly string[];
  readonly sent: string[] = [];
  closedByClient = false;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor(url: string, protocols: readonly string[]) {
    this.url = url;
    this.protocols = protocols;
    FakeSocket.opened.push(this);
  }

  static latest(): FakeSocket {
    const socket = FakeSocket.opened.at(-1);
    if (!socket) throw new Error('no connection was opened');
    return socket;
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.closedByClient = true;
  }

  /** A frame from the gateway. */
  push(message: object | string): void {
    this.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) });
  }

  /** The connection ends, from the gateway's side or the network's. */
  drop(): void {
    this.onclose?.();
  }
}

export const hello = (options: { resumed?: boolean; lastEventId?: string | null } = {}) => ({
  type: 'hello',
  resumed: options.resumed ?? false,
  heartbeat_seconds: 15,
  last_event_id: options.lastEventId ?? null,
});
