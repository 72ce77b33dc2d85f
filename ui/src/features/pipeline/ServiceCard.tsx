import { Alert, Badge, Group, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconInbox, IconPlugConnectedX, IconSend } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { Panel } from '../../components/Panel';
import { formatDuration, formatNumber } from '../../lib/datetime';
import { useMessages } from '../../lib/messages';
import { BucketOwners } from './BucketOwners';
import { Metric } from './Metric';
import type { InboxStatus, OutboxStatus, ServiceStatus } from './pipelineApi';
import { publishRate, type Pipeline } from './pipelineQueries';
import classes from './ServiceCard.module.css';

interface ServiceCardProps {
  service: ServiceStatus;
  pipeline: Pipeline;
}

export function ServiceCard({ service, pipeline }: ServiceCardProps) {
  const messages = useMessages();
  return (
    <Panel
      title={messages.pipeline.services[service.service] ?? service.service}
      aside={
        <Badge variant="light" color={service.available ? 'teal' : 'red'} tt="none">
          {service.available ? messages.pipeline.available : messages.pipeline.unavailable}
        </Badge>
      }
    >
      {service.available ? (
        <Stack gap="lg">
          <Waiting reason={service.status.waitingFor} />
          {service.status.reloadProblem !== null && (
            <Alert color="red" title={messages.pipeline.reloadProblem}>
              {service.status.reloadProblem}
            </Alert>
          )}
          {service.status.outboxes.map((outbox) => (
            <Outbox
              key={outbox.name}
              outbox={outbox}
              rate={publishRate(pipeline, service.service, outbox.name)}
            />
          ))}
          {service.status.inboxes.map((inbox) => (
            <Inbox key={inbox.name} inbox={inbox} />
          ))}
        </Stack>
      ) : (
        <Alert
          color="red"
          title={messages.pipeline.unavailableTitle}
          icon={<IconPlugConnectedX aria-hidden />}
        >
          {service.error}
        </Alert>
      )}
    </Panel>
  );
}

function Outbox({ outbox, rate }: { outbox: OutboxStatus; rate: number | null }) {
  const messages = useMessages();
  const { locale } = messages;
  const { pendingRows, oldestPendingAgeSeconds, parkedKeys, deadLetters } = outbox;
  return (
    <End icon={<IconSend size={16} aria-hidden />} title={messages.pipeline.outbox(outbox.name)}>
      <Waiting reason={outbox.waitingFor} />
      <SimpleGrid component="dl" cols={{ base: 2, sm: 3, lg: 6 }} spacing="sm" m={0}>
        <Metric label={messages.pipeline.pending} value={formatNumber(pendingRows, locale)} />
        <Metric
          label={messages.pipeline.rate}
          value={rate === null ? null : formatNumber(rate, locale, 1)}
          unit={messages.pipeline.perSecond}
        />
        <Metric
          label={messages.pipeline.oldest}
          value={
            oldestPendingAgeSeconds === null || pendingRows === 0
              ? null
              : formatDuration(oldestPendingAgeSeconds * 1000, locale)
          }
        />
        <Metric
          label={messages.pipeline.published}
          value={formatNumber(outbox.published, locale)}
        />
        <Metric
          label={messages.pipeline.parked}
          value={parkedKeys === null ? null : formatNumber(parkedKeys, locale)}
          tone={(parkedKeys ?? 0) > 0 ? 'warning' : undefined}
        />
        <Metric
          label={messages.pipeline.dead}
          value={deadLetters === null ? null : formatNumber(deadLetters, locale)}
          tone={(deadLetters ?? 0) > 0 ? 'danger' : undefined}
        />
      </SimpleGrid>
      <BucketOwners leases={outbox.leases} own={outbox.relay} />
    </End>
  );
}

function Inbox({ inbox }: { inbox: InboxStatus }) {
  const messages = useMessages();
  const { locale } = messages;
  return (
    <End icon={<IconInbox size={16} aria-hidden />} title={messages.pipeline.inbox(inbox.name)}>
      <Waiting reason={inbox.waitingFor} />
      <SimpleGrid component="dl" cols={{ base: 2, sm: 3, lg: 6 }} spacing="sm" m={0}>
        <Metric label={messages.pipeline.lag} value={formatNumber(inbox.queued, locale)} />
        <Metric label={messages.pipeline.inFlight} value={formatNumber(inbox.inFlight, locale)} />
        <Metric
          label={messages.pipeline.partitions}
          value={formatNumber(inbox.ownedPartitions, locale)}
        />
        <Metric
          label={messages.pipeline.parked}
          value={formatNumber(inbox.parkedKeys, locale)}
          tone={inbox.parkedKeys > 0 ? 'warning' : undefined}
        />
        <Metric
          label={messages.pipeline.dead}
          value={inbox.deadLetters === null ? null : formatNumber(inbox.deadLetters, locale)}
          tone={(inbox.deadLetters ?? 0) > 0 ? 'danger' : undefined}
        />
      </SimpleGrid>
    </End>
  );
}

interface EndProps {
  icon: ReactNode;
  title: string;
  children: ReactNode;
}

function End({ icon, title, children }: EndProps) {
  return (
    <div className={classes.end}>
      <Group gap="xs" mb="sm" wrap="nowrap">
        {icon}
        <Title order={3} size="h6" style={{ overflowWrap: 'anywhere' }}>
          {title}
        </Title>
      </Group>
      <Stack gap="sm">{children}</Stack>
    </div>
  );
}

function Waiting({ reason }: { reason: string | null }) {
  const messages = useMessages();
  if (reason === null) return null;
  return (
    <Alert color="orange" p="xs" icon={<IconAlertTriangle aria-hidden />}>
      <Text size="sm">{messages.pipeline.waitingFor(reason)}</Text>
    </Alert>
  );
}
