import { IconShoppingBag } from '@tabler/icons-react';
import { useMessages } from '../lib/messages';
import classes from './Logo.module.css';

export function Logo() {
  const messages = useMessages();
  return (
    <span className={classes.logo}>
      <span className={classes.mark}>
        <IconShoppingBag size={20} aria-hidden />
      </span>
      <span>{messages.app.name}</span>
    </span>
  );
}
