import { formatDateTime } from '../lib/datetime';
import { useMessages } from '../lib/messages';

export function Timestamp({ value }: { value: string }) {
  const messages = useMessages();
  return <time dateTime={value}>{formatDateTime(value, messages.locale)}</time>;
}
