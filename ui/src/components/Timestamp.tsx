import { formatDateTime } from '../lib/datetime';
import { messages } from '../lib/messages';

export function Timestamp({ value }: { value: string }) {
  return <time dateTime={value}>{formatDateTime(value, messages.locale)}</time>;
}
