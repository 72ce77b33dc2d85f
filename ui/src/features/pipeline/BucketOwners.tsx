import { Group, Text, Tooltip } from '@mantine/core';
import { useMessages } from '../../lib/messages';
import classes from './BucketOwners.module.css';
import type { Lease } from './pipelineApi';

interface BucketOwnersProps {
  leases: readonly Lease[];
  /** The relay whose status this is. */
  own: string | null;
}

/** Who publishes which part of the outbox: each relay by a number, the one that answered is the first. */
export function BucketOwners({ leases, own }: BucketOwnersProps) {
  const messages = useMessages();
  if (leases.length === 0) return null;
  const owners = [...new Set(leases.map(({ owner }) => owner))].filter((owner) => owner !== null);
  const inOrder = [
    ...owners.filter((owner) => owner === own),
    ...owners.filter((owner) => owner !== own).sort(),
  ];
  return (
    <Group gap="sm">
      <Text size="xs" c="dimmed">
        {messages.pipeline.buckets}
      </Text>
      <ul className={classes.buckets} aria-label={messages.pipeline.buckets}>
        {leases.map(({ bucket, owner }) => {
          const number = owner === null ? null : inOrder.indexOf(owner) + 1;
          const label =
            owner === null
              ? messages.pipeline.bucketFree(bucket)
              : messages.pipeline.bucketOwned(bucket, owner);
          return (
            <Tooltip key={bucket} label={label}>
              <li className={classes.bucket} data-owner={number === null ? 'none' : number % 4}>
                <span aria-hidden>{number ?? '–'}</span>
                <span className={classes.label}>{label}</span>
              </li>
            </Tooltip>
          );
        })}
      </ul>
      <Text size="xs" c="dimmed">
        {messages.pipeline.relays(inOrder.length)}
      </Text>
    </Group>
  );
}
