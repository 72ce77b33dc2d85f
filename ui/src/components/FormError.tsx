import { Alert } from '@mantine/core';

/** A submission's failure that belongs to no single field. */
export function FormError({ message }: { message: string | null }) {
  if (message === null) return null;
  return (
    <Alert color="red" p="xs">
      {message}
    </Alert>
  );
}
