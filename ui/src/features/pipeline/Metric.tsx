import { Text } from '@mantine/core';
import { useMessages } from '../../lib/messages';
import classes from './Metric.module.css';

interface MetricProps {
  label: string;
  /** Null when it is not known. */
  value: string | null;
  unit?: string;
  tone?: 'warning' | 'danger' | undefined;
}

export function Metric({ label, value, unit, tone }: MetricProps) {
  const messages = useMessages();
  return (
    <div className={classes.metric} data-tone={tone}>
      <Text component="dt" size="xs" c="dimmed" truncate title={label}>
        {label}
      </Text>
      <dd className={classes.value}>
        {value ?? <span aria-label={messages.pipeline.unknown}>–</span>}
        {value !== null && unit !== undefined && <span className={classes.unit}> {unit}</span>}
      </dd>
    </div>
  );
}
