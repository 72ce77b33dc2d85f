import { parseUserId, type UserId } from './userId';

/** Who the person is signed in as, and what proves it. */
export interface Session {
  token: string;
  /** Null for an operator who is nobody's user. */
  userId: UserId | null;
  operator: boolean;
  /** RFC 3339; null when the token does not tell. */
  expiresAt: string | null;
  /** How it was begun, which is how it can be renewed. */
  origin: 'demo' | 'oidc' | 'handed_over';
}

/** Gets a new session for the same person without asking; null when that is not possible. */
export type Renewal = (session: Session) => Promise<Session | null>;

const STORAGE_KEY = 'session';

/** Who is signed in, or why nobody is any more. */
export type SessionState =
  { session: Session; ended: null } | { session: null; ended: 'expired' | 'left' | null };

function readStored(): Session | null {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? 'null');
    if (typeof stored !== 'object' || stored === null) return null;
    const { token, userId, operator, expiresAt, origin } = stored as Record<string, unknown>;
    if (typeof token !== 'string' || typeof operator !== 'boolean') return null;
    if (origin !== 'demo' && origin !== 'oidc' && origin !== 'handed_over') return null;
    return {
      token,
      operator,
      origin,
      userId: typeof userId === 'string' ? parseUserId(userId) : null,
      expiresAt: typeof expiresAt === 'string' ? expiresAt : null,
    };
  } catch {
    return null;
  }
}

/**
 * The session of this tab. It is kept in `sessionStorage`, so a reload keeps it, another tab has its own,
 * and closing the tab ends it.
 */
export class SessionStore {
  readonly #listeners = new Set<() => void>();
  #state: SessionState;
  #renewal: Renewal = () => Promise.resolve(null);
  #renewing: Promise<boolean> | null = null;

  constructor() {
    const session = readStored();
    this.#state = session ? { session, ended: null } : { session: null, ended: null };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly current = (): SessionState => this.#state;

  renewBy(renewal: Renewal): void {
    this.#renewal = renewal;
  }

  begin(session: Session): void {
    try {
      sessionStorage.setItem(STORAGE_KEY, JSON.stringify(session));
    } catch {
      // Without storage the session lasts until the page is left.
    }
    this.#become({ session, ended: null });
  }

  end(ended: 'expired' | 'left'): void {
    try {
      sessionStorage.removeItem(STORAGE_KEY);
    } catch {
      // As above.
    }
    this.#become({ session: null, ended });
  }

  /**
   * The token to send; null when signed out. Whether it is still good is for the gateway to say: this
   * machine's clock may be wrong.
   */
  token(): string | null {
    return this.#state.session?.token ?? null;
  }

  /**
   * Replaces a token that was refused; true when there is another one. Many calls can be refused at the
   * same time: they share one renewal, and one that comes late finds the token replaced already.
   */
  renew(refused: string): Promise<boolean> {
    const { session } = this.#state;
    if (session === null) return Promise.resolve(false);
    if (session.token !== refused) return Promise.resolve(true);
    this.#renewing ??= this.#renewal(session)
      .then((renewed) => {
        // The person may have signed out, or in as somebody else, meanwhile.
        if (this.#state.session?.token !== session.token) return this.#state.session !== null;
        if (renewed !== null) this.begin(renewed);
        return renewed !== null;
      })
      .finally(() => {
        this.#renewing = null;
      });
    return this.#renewing;
  }

  /** Ends the session whose token was refused, unless another one has begun. */
  expire(refused: string): void {
    if (this.#state.session?.token === refused) this.end('expired');
  }

  #become(state: SessionState): void {
    this.#state = state;
    this.#listeners.forEach((listener) => listener());
  }
}

export const sessions = new SessionStore();
