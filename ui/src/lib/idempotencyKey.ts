import { hasUnknownOutcome } from './apiError';

/**
 * A random UUID. `crypto.randomUUID` exists in secure contexts only, and a plain-HTTP LAN address is
 * not one; `getRandomValues` exists everywhere.
 */
export function randomUuid(source: Pick<Crypto, 'getRandomValues'> & Partial<Crypto> = crypto) {
  if (typeof source.randomUUID === 'function') return source.randomUUID();
  const bytes = source.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}

/**
 * Hands out the `Idempotency-Key` of a form's submissions. While it is unknown whether the last attempt
 * took effect, the same content keeps its key, so pressing the button again cannot act twice. Changed
 * content, a success or a definite refusal starts a new key.
 */
export class SubmissionKey {
  #pending: { content: string; key: string } | null = null;

  keyFor(content: string): string {
    if (this.#pending?.content !== content) this.#pending = { content, key: randomUuid() };
    return this.#pending.key;
  }

  succeeded(): void {
    this.#pending = null;
  }

  failed(error: unknown): void {
    if (!hasUnknownOutcome(error)) this.#pending = null;
  }
}
