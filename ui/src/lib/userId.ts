declare const userIdBrand: unique symbol;

/** A positive 64-bit id kept as text, because large ones do not fit a JavaScript number. */
export type UserId = string & { readonly [userIdBrand]: true };

const MAX_USER_ID = 9_223_372_036_854_775_807n;

export function parseUserId(text: string): UserId | null {
  const trimmed = text.trim();
  if (!/^\d{1,19}$/.test(trimmed)) return null;
  const value = BigInt(trimmed);
  if (value < 1n || value > MAX_USER_ID) return null;
  return value.toString() as UserId;
}
