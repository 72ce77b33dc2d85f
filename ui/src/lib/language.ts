import { en, type Messages } from '../locales/en';

/** What the texts are available in. English is part of the first load, others come when chosen. */
export const LANGUAGES = { en: 'English', ru: 'Русский' } as const;

export type Language = keyof typeof LANGUAGES;

const STORAGE_KEY = 'language';

const loaders: Record<Language, () => Promise<Messages>> = {
  en: () => Promise.resolve(en),
  ru: async () => (await import('../locales/ru')).ru,
};

function isLanguage(value: string | null | undefined): value is Language {
  return value !== null && value !== undefined && Object.hasOwn(LANGUAGES, value);
}

/** The language chosen before, else the first of the browser's that there is, else English. */
export function preferredLanguage(): Language {
  let stored: string | null = null;
  try {
    stored = localStorage.getItem(STORAGE_KEY);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  if (isLanguage(stored)) return stored;
  return navigator.languages.map((tag) => tag.split('-')[0]).find(isLanguage) ?? 'en';
}

interface InUse {
  language: Language;
  messages: Messages;
}

/** The language in use, for React and for everything else. */
class LanguageStore {
  readonly #listeners = new Set<() => void>();
  #inUse: InUse = { language: 'en', messages: en };

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly current = (): InUse => this.#inUse;

  /** Switches once the texts are there; rejects and stays as it is when they cannot be loaded. */
  async use(language: Language): Promise<void> {
    const messages = await loaders[language]();
    this.#inUse = { language, messages };
    document.documentElement.lang = language;
    this.#listeners.forEach((listener) => listener());
  }

  /** As `use`, and also the next time. */
  async choose(language: Language): Promise<void> {
    await this.use(language);
    try {
      localStorage.setItem(STORAGE_KEY, language);
    } catch {
      // As above.
    }
  }
}

export const languages = new LanguageStore();
