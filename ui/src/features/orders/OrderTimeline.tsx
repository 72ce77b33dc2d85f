import { Badge, Group, Stack, Text, type MantineColor } from '@mantine/core';
import {
  IconSend,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleX,
  IconCreditCard,
  IconFileCheck,
  IconInbox,
  type Icon,
} from '@tabler/icons-react';
import { CopyableId } from '../../components/CopyableId';
import { LoadError } from '../../components/LoadError';
import { LoadingRows } from '../../components/LoadingRows';
import { Panel } from '../../components/Panel';
import { formatDuration, formatPreciseTime } from '../../lib/datetime';
import { useMessages } from '../../lib/messages';
import type { Order } from './orderApi';
import classes from './OrderTimeline.module.css';
import { timelineRows, totalMs, type Timeline, type TimelineRow } from './timeline';
import { useTimeline } from './timelineQueries';

const LOOKS: Record<string, { icon: Icon; color: MantineColor }> = {
  accepted: { icon: IconFileCheck, color: 'indigo' },
  task_published: { icon: IconSend, color: 'gray' },
  task_received: { icon: IconInbox, color: 'gray' },
  paid: { icon: IconCreditCard, color: 'indigo' },
  refused: { icon: IconCreditCard, color: 'red' },
  outcome_published: { icon: IconSend, color: 'gray' },
  outcome_received: { icon: IconInbox, color: 'gray' },
  finished: { icon: IconCircleCheck, color: 'teal' },
  cancelled: { icon: IconCircleX, color: 'red' },
};

/** The order's way through the system, with the time that each step took. */
export function OrderTimeline({ order }: { order: Order }) {
  const messages = useMessages();
  const timeline = useTimeline(order.id);
  return (
    <Panel
      title={messages.timeline.title}
      aside={timeline.data && <TotalTime timeline={timeline.data} />}
    >
      {timeline.data !== undefined ? (
        <Steps timeline={timeline.data} />
      ) : timeline.isError ? (
        <LoadError
          title={messages.timeline.loadFailed}
          error={timeline.error}
          onRetry={() => void timeline.refetch()}
        />
      ) : (
        <LoadingRows label={messages.timeline.loading} rows={5} height={32} />
      )}
    </Panel>
  );
}

function TotalTime({ timeline }: { timeline: Timeline }) {
  const messages = useMessages();
  const total = totalMs(timeline);
  if (total === null) return null;
  const shown = formatDuration(total, messages.locale);
  return (
    <Badge variant="light" color={timeline.complete ? 'teal' : 'blue'} size="lg" tt="none">
      {timeline.complete ? messages.timeline.took(shown) : messages.timeline.soFar(shown)}
    </Badge>
  );
}

function Steps({ timeline }: { timeline: Timeline }) {
  const messages = useMessages();
  const rows = timelineRows(timeline);
  return (
    <Stack gap="md">
      <ol className={classes.steps} aria-label={messages.timeline.title}>
        {rows.map((row) => (
          <Step key={row.step} row={row} />
        ))}
      </ol>
      {timeline.traceId !== null && (
        <Group gap="xs" className={classes.trace ?? ''}>
          <Text size="sm" c="dimmed">
            {messages.timeline.trace}
          </Text>
          <CopyableId value={timeline.traceId} />
        </Group>
      )}
    </Stack>
  );
}

function Step({ row }: { row: TimelineRow }) {
  const messages = useMessages();
  const { icon: StepIcon, color } = LOOKS[row.step] ?? { icon: IconCircleDashed, color: 'gray' };
  const pending = row.at === null;
  const { name, detail } = messages.timeline.steps[row.step] ?? { name: row.step, detail: '' };
  return (
    <li className={classes.step} data-pending={pending} data-next={row.next}>
      <span
        className={classes.icon}
        style={{ color: pending ? undefined : `var(--mantine-color-${color}-text)` }}
      >
        <StepIcon size={18} aria-hidden />
      </span>
      <div className={classes.name}>
        <Text size="sm" fw={600} c={pending ? 'dimmed' : 'bright'}>
          {name}
        </Text>
        <Text size="xs" c="dimmed">
          {row.next ? messages.timeline.waiting : detail}
        </Text>
      </div>
      <div className={classes.track} aria-hidden>
        {row.bar !== null && (
          <span
            className={classes.bar}
            style={{
              marginInlineStart: `${row.bar.startPercent}%`,
              width: `${row.bar.widthPercent}%`,
              background: `var(--mantine-color-${color}-filled)`,
            }}
          />
        )}
      </div>
      <div className={classes.times}>
        {row.tookMs !== null && (
          <Text size="sm" fw={600} c="bright">
            +{formatDuration(row.tookMs, messages.locale)}
          </Text>
        )}
        {row.at !== null && (
          <Text size="xs" c="dimmed">
            <time dateTime={row.at}>{formatPreciseTime(row.at, messages.locale)}</time>
          </Text>
        )}
      </div>
    </li>
  );
}
