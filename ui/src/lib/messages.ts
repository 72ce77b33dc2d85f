import { en, type Messages } from '../locales/en';

/** The texts in use. Another language is another object of this type, chosen here. */
export const messages: Messages = en;
