/**
 * Does the same things at once instead of one by one: what is asked for while the last round is less than
 * `pauseMs` ago waits, each thing once, for the next round. The first does not wait.
 */
export class Coalescer<Key extends string> {
  readonly #act: (keys: Key[]) => void;
  readonly #pauseMs: number;
  readonly #waiting = new Set<Key>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(act: (keys: Key[]) => void, pauseMs: number) {
    this.#act = act;
    this.#pauseMs = pauseMs;
  }

  ask(key: Key): void {
    this.#waiting.add(key);
    if (this.#timer === undefined) this.#round();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
  }

  #round(): void {
    this.#timer = undefined;
    if (this.#waiting.size === 0) return;
    const keys = [...this.#waiting];
    this.#waiting.clear();
    this.#timer = setTimeout(() => this.#round(), this.#pauseMs);
    this.#act(keys);
  }
}
