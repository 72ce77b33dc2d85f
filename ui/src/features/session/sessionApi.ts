import { LosslessNumber } from 'lossless-json';
import type { Schemas } from '../../api/operations';
import {
  asObject,
  booleanField,
  optionalStringField,
  optionalUserIdField,
  stringField,
  type Unverified,
} from '../../lib/decode';
import { request } from '../../lib/http';
import type { Session } from '../../lib/session';
import type { UserId } from '../../lib/userId';

/** How people sign in here. */
export type AuthConfig = { mode: 'demo' } | { mode: 'jwt'; issuer: string; clientId: string };

export interface Identity {
  userId: UserId | null;
  operator: boolean;
  expiresAt: string | null;
}

/** Who a demo token is asked for. */
export type DemoIdentity = { userId: UserId } | 'operator';

function decodeIdentity(body: Unverified<Schemas['Identity']>): Identity {
  const source = asObject(body, 'identity');
  return {
    userId: optionalUserIdField(source, 'user_id'),
    operator: booleanField(source, 'operator'),
    expiresAt: optionalStringField(source, 'expires_at'),
  };
}

export function fetchAuthConfig(signal: AbortSignal): Promise<AuthConfig> {
  return request('GET', '/auth/config', {
    anonymous: true,
    signal,
    decode: (body) => {
      if (stringField(asObject(body, 'auth config'), 'mode') === 'demo') return { mode: 'demo' };
      const source = asObject(
        body as Unverified<Extract<Schemas['AuthConfig'], { mode: 'jwt' }>>,
        'auth config',
      );
      return {
        mode: 'jwt',
        issuer: optionalStringField(source, 'issuer') ?? '',
        clientId: optionalStringField(source, 'client_id') ?? '',
      };
    },
  });
}

export function requestDemoToken(who: DemoIdentity): Promise<Session> {
  return request('POST', '/auth/demo-token', {
    anonymous: true,
    body: who === 'operator' ? { operator: true } : { user_id: new LosslessNumber(who.userId) },
    decode: (body) => ({
      ...decodeIdentity(body),
      token: stringField(asObject(body, 'token'), 'token'),
      origin: 'demo',
    }),
  });
}

/** Asks the gateway whose token this is; used for tokens that come from elsewhere. */
export function fetchIdentityOf(token: string): Promise<Identity> {
  return request('GET', '/auth/me', { token, decode: decodeIdentity });
}

/** Asks in the name of who is signed in, which renews or ends a session whose token is refused. */
export async function checkSession(): Promise<void> {
  await request('GET', '/auth/me', { decode: decodeIdentity });
}
