/** The token that another page handed over in the address: `#access_token=…`. */
export function readHandedToken(fragment: string): string | null {
  const token = new URLSearchParams(fragment.replace(/^#/, '')).get('access_token');
  return token === '' ? null : token;
}

/** Takes the token out of the address bar, the history and what is sent as a referrer. */
export function takeHandedToken(): string | null {
  const token = readHandedToken(window.location.hash);
  if (token !== null) {
    window.history.replaceState(
      window.history.state,
      '',
      window.location.pathname + window.location.search,
    );
  }
  return token;
}
