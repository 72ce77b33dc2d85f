import { Badge, Stack } from '@mantine/core';
import { LoadError } from '../../components/LoadError';
import { LoadingRows } from '../../components/LoadingRows';
import { Page } from '../../components/Page';
import { useMessages } from '../../lib/messages';
import { DeadLetters } from './DeadLetters';
import { usePipeline } from './pipelineQueries';
import { ServiceCard } from './ServiceCard';

/** What the sidecars do right now. */
export function PipelinePage() {
  const messages = useMessages();
  const pipeline = usePipeline();
  const stale = pipeline.failureCount > 0;
  return (
    <Page
      title={messages.pipeline.title}
      actions={
        <Badge variant="dot" color={stale ? 'orange' : 'teal'} tt="none" size="lg">
          {stale ? messages.pipeline.stale : messages.pipeline.fresh}
        </Badge>
      }
    >
      {pipeline.data !== undefined ? (
        <Stack gap="lg">
          {pipeline.data.services.map((service) => (
            <ServiceCard key={service.service} service={service} pipeline={pipeline.data} />
          ))}
          <DeadLetters services={pipeline.data.services.map(({ service }) => service)} />
        </Stack>
      ) : pipeline.isError ? (
        <LoadError
          title={messages.pipeline.loadFailed}
          error={pipeline.error}
          onRetry={() => void pipeline.refetch()}
        />
      ) : (
        <LoadingRows label={messages.pipeline.loading} rows={3} height={160} />
      )}
    </Page>
  );
}
