import { Button, Group, SegmentedControl, Stack, Table, Text } from '@mantine/core';
import { IconCircleCheck } from '@tabler/icons-react';
import { useState } from 'react';
import { EmptyState } from '../../components/EmptyState';
import { LoadError } from '../../components/LoadError';
import { LoadingRows } from '../../components/LoadingRows';
import { LoadMore } from '../../components/LoadMore';
import { Panel } from '../../components/Panel';
import { Timestamp } from '../../components/Timestamp';
import { useMessages } from '../../lib/messages';
import type { DeadLetter, Decision, Direction } from './pipelineApi';
import { useDeadLetters } from './pipelineQueries';
import { SettleDialog } from './SettleDialog';

/** What could not be published or applied, and waits for a person's decision. */
export function DeadLetters({ services }: { services: readonly string[] }) {
  const messages = useMessages();
  const [chosen, setChosen] = useState<string | null>(null);
  const [direction, setDirection] = useState<Direction>('outbox');
  const service = chosen ?? services[0];
  if (service === undefined) return null;
  return (
    <Panel title={messages.deadLetters.title}>
      <Group mb="md" gap="sm">
        <SegmentedControl
          aria-label={messages.deadLetters.service}
          value={service}
          onChange={setChosen}
          data={services.map((name) => ({
            value: name,
            label: messages.pipeline.services[name] ?? name,
          }))}
        />
        <SegmentedControl
          aria-label={messages.deadLetters.direction}
          value={direction}
          onChange={(value) => setDirection(value === 'inbox' ? 'inbox' : 'outbox')}
          data={[
            { value: 'outbox', label: messages.deadLetters.outbox },
            { value: 'inbox', label: messages.deadLetters.inbox },
          ]}
        />
      </Group>
      <Letters key={`${service}/${direction}`} service={service} direction={direction} />
    </Panel>
  );
}

function Letters({ service, direction }: { service: string; direction: Direction }) {
  const messages = useMessages();
  const letters = useDeadLetters(service, direction);
  const [asked, setAsked] = useState<{ letter: DeadLetter; decision: Decision } | null>(null);
  if (letters.data === undefined) {
    if (letters.isError) {
      return (
        <LoadError
          title={messages.deadLetters.loadFailed}
          error={letters.error}
          onRetry={() => void letters.refetch()}
        />
      );
    }
    return <LoadingRows label={messages.deadLetters.loading} rows={2} />;
  }
  const items = letters.data.pages.flatMap((page) => page.items);
  return (
    <>
      {items.length === 0 ? (
        <EmptyState
          icon={<IconCircleCheck size={24} />}
          title={messages.deadLetters.empty}
          detail={messages.deadLetters.emptyDetail}
        />
      ) : (
        <Table.ScrollContainer minWidth={620}>
          <Table aria-label={messages.deadLetters.title} verticalSpacing="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{messages.deadLetters.what}</Table.Th>
                <Table.Th>{messages.deadLetters.reason}</Table.Th>
                <Table.Th>{messages.deadLetters.since}</Table.Th>
                <Table.Th>{messages.deadLetters.decide}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {items.map((letter) => (
                <LetterRow
                  key={`${letter.name}/${letter.id}`}
                  letter={letter}
                  onDecide={(decision) => setAsked({ letter, decision })}
                />
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      <LoadMore
        hasMore={letters.hasNextPage}
        loading={letters.isFetchingNextPage}
        failed={letters.isFetchNextPageError}
        onLoadMore={() => void letters.fetchNextPage()}
      />
      <SettleDialog service={service} asked={asked} onClose={() => setAsked(null)} />
    </>
  );
}

interface LetterRowProps {
  letter: DeadLetter;
  onDecide: (decision: Decision) => void;
}

function LetterRow({ letter, onDecide }: LetterRowProps) {
  const messages = useMessages();
  return (
    <Table.Tr>
      <Table.Td>
        <Text size="sm" fw={600}>
          {letter.name} · {letter.id}
        </Text>
        <Text size="xs" c="dimmed">
          {letter.key !== null && messages.deadLetters.key(letter.key)}
          {letter.origin !== null && ` · ${letter.origin}`}
        </Text>
      </Table.Td>
      <Table.Td maw={360}>
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {letter.reason}
        </Text>
        <Text size="xs" c="dimmed">
          {messages.deadLetters.attempts(letter.attempts)}
        </Text>
      </Table.Td>
      <Table.Td>
        <Text size="sm">
          <Timestamp value={letter.deadAt} />
        </Text>
      </Table.Td>
      <Table.Td>
        <Stack gap={6}>
          <Button size="xs" variant="light" onClick={() => onDecide('retry')}>
            {messages.deadLetters.retry}
          </Button>
          <Button size="xs" variant="default" onClick={() => onDecide('skip')}>
            {messages.deadLetters.skip}
          </Button>
        </Stack>
      </Table.Td>
    </Table.Tr>
  );
}
