import { useSyncExternalStore } from 'react';
import type { Messages } from '../locales/en';
import { languages, type Language } from './language';

/** The texts of the language in use; the component renders anew when that changes. */
export function useMessages(): Messages {
  return useSyncExternalStore(languages.subscribe, languages.current).messages;
}

export function useLanguage(): Language {
  return useSyncExternalStore(languages.subscribe, languages.current).language;
}

/** The texts at this moment, for what is told once: a toast, an error's sentence. */
export function currentMessages(): Messages {
  return languages.current().messages;
}
