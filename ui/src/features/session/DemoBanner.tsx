import { IconFlask } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMessages } from '../../lib/messages';
import classes from './DemoBanner.module.css';
import { authConfigQuery } from './renewal';

/** Always there in demo mode, so that nobody takes the data for protected. */
export function DemoBanner() {
  const messages = useMessages();
  const config = useQuery(authConfigQuery);
  if (config.data?.mode !== 'demo') return null;
  return (
    <div className={classes.banner} role="note">
      <IconFlask size={16} aria-hidden />
      <span>
        <strong>{messages.demo.title}.</strong> {messages.demo.detail}
      </span>
    </div>
  );
}
