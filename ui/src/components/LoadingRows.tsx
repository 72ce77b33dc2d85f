import { Box, Skeleton, Stack, VisuallyHidden } from '@mantine/core';

interface LoadingRowsProps {
  /** What is loading, for screen readers. */
  label: string;
  rows?: number;
  height?: number;
}

export function LoadingRows({ label, rows = 4, height = 44 }: LoadingRowsProps) {
  return (
    <Box role="status">
      <VisuallyHidden>{label}</VisuallyHidden>
      <Stack gap="sm" aria-hidden>
        {Array.from({ length: rows }, (_, index) => (
          <Skeleton key={index} height={height} radius="md" />
        ))}
      </Stack>
    </Box>
  );
}
