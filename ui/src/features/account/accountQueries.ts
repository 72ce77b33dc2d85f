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
import { addMoney, isNegative, negate, type Money } from '../../lib/money';
import type { UserId } from '../../lib/userId';
import { useLiveState } from '../live/useLive';
import {
  changeBalance,
  createAccount,
  fetchAccount,
  fetchLedger,
  type Account,
  type BalanceDirection,
} from './accountApi';

const accountKey = (userId: string) => ['account', userId] as const;
const balanceKey = (userId: UserId) => [...accountKey(userId), 'balance'] as const;
const ledgerKey = (userId: UserId) => [...accountKey(userId), 'ledger'] as const;

/** Without a live connection, what others did to the account shows up after this long. */
const UNTOLD_POLL_MS = 5000;

/** The account's data is null for a user who has none. */
export function useAccount(userId: UserId) {
  const live = useLiveState() === 'live';
  return useQuery({
    queryKey: balanceKey(userId),
    queryFn: ({ signal }) => fetchAccount(userId, signal),
    refetchInterval: live ? false : UNTOLD_POLL_MS,
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
export function refreshAccount(client: QueryClient, userId: string): Promise<void> {
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

/** Shows the new balance at once, and the old one again when the shop refuses the change. */
export function useChangeBalance(userId: UserId) {
  const client = useQueryClient();
  const [submission] = useState(() => new SubmissionKey());
  return useMutation({
    mutationFn: ({ direction, amount }: BalanceChange) =>
      changeBalance(userId, direction, amount, submission.keyFor(`${direction} ${amount}`)),
    onMutate: async ({ direction, amount }) => {
      await client.cancelQueries({ queryKey: balanceKey(userId) });
      const before = client.getQueryData<Account | null>(balanceKey(userId));
      if (!before) return null;
      const balance = addMoney(before.balance, direction === 'top_up' ? amount : negate(amount));
      // This one will be refused.
      if (isNegative(balance)) return null;
      const expected: Account = { ...before, balance };
      client.setQueryData(balanceKey(userId), expected);
      return { before, expected };
    },
    onSuccess: (account) => {
      submission.succeeded();
      return adopt(client, account);
    },
    onError: (error, _change, shown) => {
      submission.failed(error);
      // What was read since is newer than what is to be restored.
      if (shown && client.getQueryData(balanceKey(userId)) === shown.expected) {
        client.setQueryData(balanceKey(userId), shown.before);
      }
      if (isOutage(error)) void refreshAccount(client, userId);
    },
  });
}
