import { UserManager, WebStorageStateStore, type User } from 'oidc-client-ts';
import type { Session } from '../../lib/session';
import { fetchIdentityOf } from './sessionApi';

/** The one address that the identity provider sends people back to. */
export const CALLBACK_PATH = '/signed-in';

export interface Provider {
  issuer: string;
  clientId: string;
}

function manager({ issuer, clientId }: Provider): UserManager {
  return new UserManager({
    authority: issuer,
    client_id: clientId,
    redirect_uri: window.location.origin + CALLBACK_PATH,
    scope: 'openid offline_access',
    userStore: new WebStorageStateStore({ store: sessionStorage }),
    // Renewed when it is needed, by the session.
    automaticSilentRenew: false,
  });
}

async function sessionOf(user: User): Promise<Session> {
  const identity = await fetchIdentityOf(user.access_token);
  return { ...identity, token: user.access_token, origin: 'oidc' };
}

/** Leaves for the identity provider: authorisation code flow with PKCE. */
export async function leaveToSignIn(provider: Provider, returnTo: string): Promise<void> {
  await manager(provider).signinRedirect({ state: returnTo });
}

/** Ends what `leaveToSignIn` began, at `CALLBACK_PATH`. */
export async function completeSignIn(
  provider: Provider,
): Promise<{ session: Session; returnTo: string }> {
  const user = await manager(provider).signinRedirectCallback();
  return {
    session: await sessionOf(user),
    // Only a path of this site: the state is the browser's own, but a redirect is not the place to trust it.
    returnTo: typeof user.state === 'string' && /^\/(?![/\\])/.test(user.state) ? user.state : '/',
  };
}

/** A new token by the refresh token, when the provider gave one. */
export async function renewSignIn(provider: Provider): Promise<Session | null> {
  const client = manager(provider);
  const user = await client.getUser();
  if (user?.refresh_token === undefined) return null;
  const renewed = await client.signinSilent();
  return renewed === null ? null : sessionOf(renewed);
}
