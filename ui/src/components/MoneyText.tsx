import { useMessages } from '../lib/messages';
import { formatMoney, type Money } from '../lib/money';
import classes from './MoneyText.module.css';

interface MoneyTextProps {
  value: Money;
  /** Shows a plus before a positive amount, for movements. */
  signed?: boolean;
}

export function MoneyText({ value, signed = false }: MoneyTextProps) {
  const messages = useMessages();
  return (
    <data className={classes.money} value={value}>
      {formatMoney(value, messages.locale, { sign: signed ? 'always' : 'negative' })}
    </data>
  );
}
