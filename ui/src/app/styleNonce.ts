import { setNonce } from 'get-nonce';

/** What the page's Content-Security-Policy knows its own style elements by. */
export function styleNonce(): string {
  return document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? '';
}

/** For those of dialogs, which keep the page behind from scrolling; Mantine is told by its provider. */
export function giveDialogsTheNonce(): void {
  setNonce(styleNonce());
}
