import {
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
  type QueryClient,
} from '@tanstack/react-query';
import { useState } from 'react';
import { isOutage } from '../../lib/apiError';
import { SubmissionKey } from '../../lib/idempotencyKey';
import type { Money } from '../../lib/money';
import type { UserId } from '../../lib/userId';
import {
  changeBalance,
  createAccount,
  fetchAccount,
  fetchLedger,
  type Account,
  type BalanceDirection,
} from './accountApi';

const accountKey = (userId: UserId) => ['account', userId] as const;
const balanceKey = (userId: UserId) => [...accountKey(userId), 'balance'] as const;
const ledgerKey = (userId: UserId) => [...accountKey(userId), 'ledger'] as const;

/** The account's data is null for a user who has none. */
export function useAccount(userId: UserId) {
  return useQuery({
    queryKey: balanceKey(userId),
    queryFn: ({ signal }) => fetchAccount(userId, signal),
  });
}

export function useLedger(userId: UserId) {
  return useInfiniteQuery({
    queryKey: ledgerKey(userId),
    queryFn: ({ pageParam, signal }) => fetchLedger(userId, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
}

/** Reads balance and ledger again, after something other than this page's forms moved money. */
export function refreshAccount(client: QueryClient, userId: UserId): Promise<void> {
  return client.invalidateQueries({ queryKey: accountKey(userId) });
}

async function adopt(client: QueryClient, account: Account): Promise<void> {
  await client.cancelQueries({ queryKey: balanceKey(account.userId) });
  client.setQueryData(balanceKey(account.userId), account);
  void client.invalidateQueries({ queryKey: ledgerKey(account.userId) });
}

export function useCreateAccount(userId: UserId) {
  const client = useQueryClient();
  const [submission] = useState(() => new SubmissionKey());
  return useMutation({
    mutationFn: (openingBalance: Money) =>
      createAccount(userId, openingBalance, submission.keyFor(openingBalance)),
    onSuccess: (account) => {
      submission.succeeded();
      return adopt(client, account);
    },
    onError: (error) => {
      submission.failed(error);
      if (isOutage(error)) void refreshAccount(client, userId);
    },
  });
}

export interface BalanceChange {
  direction: BalanceDirection;
  amount: Money;
}

export function useChangeBalance(userId: UserId) {
  const client = useQueryClient();
  const [submission] = useState(() => new SubmissionKey());
  return useMutation({
    mutationFn: ({ direction, amount }: BalanceChange) =>
      changeBalance(userId, direction, amount, submission.keyFor(`${direction} ${amount}`)),
    onSuccess: (account) => {
      submission.succeeded();
      return adopt(client, account);
    },
    onError: (error) => {
      submission.failed(error);
      if (isOutage(error)) void refreshAccount(client, userId);
    },
  });
}
