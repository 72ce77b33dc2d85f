import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeSocket, hello } from '../../test/fakeSocket';
import { LiveClient } from './liveClient';
import type { LiveEvent } from './liveMessages';

let client: LiveClient;
let events: LiveEvent[];
let resyncs: number;
let token: string | null;
let refusals: number;

const account = (id: string) => ({ type: 'account', id, user_id: 1, at: '2026-11-25T12:00:00Z' });

/** Lets what is already decided happen. */
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(async () => {
  vi.useFakeTimers();
  vi.stubGlobal('WebSocket', FakeSocket);
  FakeSocket.opened.length = 0;
  events = [];
  resyncs = 0;
  refusals = 0;
  token = 'secret';
  client = new LiveClient({
    url: 'ws://shop/ws',
    token: () => token,
    onEvent: (event) => events.push(event),
    onResync: () => (resyncs += 1),
    onRefused: () => {
      refusals += 1;
      return Promise.resolve();
    },
  });
  client.start();
  await settle();
});

afterEach(() => {
  client.stop();
  vi.useRealTimers();
});

describe('a live connection', () => {
  it('proves who it is by a subprotocol, and reads everything anew at first', () => {
    const socket = FakeSocket.latest();
    expect(socket.url).toBe('ws://shop/ws');
    expect(socket.protocols).toEqual(['shop.v1', 'bearer.secret']);
    expect(client.state()).toBe('connecting');
    socket.push(hello());
    expect(client.state()).toBe('live');
    expect(resyncs).toBe(1);
  });

  it('answers heartbeats', () => {
    FakeSocket.latest().push(hello());
    FakeSocket.latest().push({ type: 'ping' });
    expect(FakeSocket.latest().sent).toEqual(['{"type":"pong"}']);
  });

  it('goes on after the last event, without reading anew when nothing was missed', async () => {
    FakeSocket.latest().push(hello());
    FakeSocket.latest().push(account('e/7'));
    FakeSocket.latest().drop();
    expect(client.state()).toBe('waiting');
    await vi.advanceTimersByTimeAsync(1000);
    expect(FakeSocket.opened).toHaveLength(2);
    expect(FakeSocket.latest().url).toBe('ws://shop/ws?last_event_id=e%2F7');
    FakeSocket.latest().push(hello({ resumed: true }));
    expect(resyncs).toBe(1);
    FakeSocket.latest().push(account('e/8'));
    expect(events.map(({ id }) => id)).toEqual(['e/7', 'e/8']);
  });

  it('reads anew when the gap could not be filled, or events were left out', async () => {
    FakeSocket.latest().push(hello());
    FakeSocket.latest().push(account('7'));
    FakeSocket.latest().drop();
    await vi.advanceTimersByTimeAsync(1000);
    FakeSocket.latest().push(hello({ resumed: false }));
    expect(resyncs).toBe(2);
    FakeSocket.latest().push({ type: 'resync', reason: 'slow_client' });
    expect(resyncs).toBe(3);
  });

  it('reads anew after a frame it cannot read, and passes over kinds it does not know', () => {
    FakeSocket.latest().push(hello());
    FakeSocket.latest().push('{');
    expect(resyncs).toBe(2);
    FakeSocket.latest().push({ type: 'weather' });
    expect(resyncs).toBe(2);
    expect(client.state()).toBe('live');
  });

  it('is given up when it falls silent', async () => {
    FakeSocket.latest().push(hello());
    await vi.advanceTimersByTimeAsync(37_000);
    expect(client.state()).toBe('live');
    await vi.advanceTimersByTimeAsync(1000);
    expect(FakeSocket.opened[0]?.closedByClient).toBe(true);
    expect(client.state()).not.toBe('live');
  });

  it('is given up when nothing is heard from the start', async () => {
    await vi.advanceTimersByTimeAsync(10_000);
    expect(FakeSocket.opened[0]?.closedByClient).toBe(true);
    expect(refusals).toBe(1);
  });

  it('comes back when the gateway has said, and not all clients at the same moment', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    FakeSocket.latest().push(hello());
    FakeSocket.latest().push({ type: 'reconnect', after_ms: 4000 });
    FakeSocket.latest().drop();
    await vi.advanceTimersByTimeAsync(4900);
    expect(FakeSocket.opened).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(FakeSocket.opened).toHaveLength(2);
  });

  it('pauses longer and longer while it is refused, and asks why each time', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const pauses: number[] = [];
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const before = Date.now();
      const count = FakeSocket.opened.length;
      FakeSocket.latest().drop();
      while (FakeSocket.opened.length === count) await vi.advanceTimersByTimeAsync(100);
      pauses.push(Date.now() - before);
    }
    expect(pauses).toEqual([...pauses].sort((left, right) => left - right));
    expect(pauses[0]).toBeLessThanOrEqual(600);
    expect(pauses.at(-1)).toBeLessThanOrEqual(20_100);
    expect(refusals).toBe(8);
  });

  it('does not wait any longer when the machine is back online', async () => {
    FakeSocket.latest().drop();
    await settle();
    window.dispatchEvent(new Event('online'));
    await settle();
    expect(FakeSocket.opened).toHaveLength(2);
  });

  it('ends with the session, for good', async () => {
    token = null;
    FakeSocket.latest().push(hello());
    FakeSocket.latest().drop();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(client.state()).toBe('stopped');
    expect(FakeSocket.opened).toHaveLength(1);
  });

  it('hears nothing of a connection that it has given up', () => {
    const socket = FakeSocket.latest();
    socket.push(hello());
    client.stop();
    socket.push(account('7'));
    socket.drop();
    expect(events).toEqual([]);
    expect(client.state()).toBe('stopped');
    expect(socket.closedByClient).toBe(true);
  });
});
