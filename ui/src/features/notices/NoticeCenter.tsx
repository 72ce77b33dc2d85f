import {
  ActionIcon,
  Button,
  Group,
  Indicator,
  Popover,
  ScrollArea,
  Stack,
  Switch,
  Text,
  Title,
  UnstyledButton,
} from '@mantine/core';
import { IconBell, IconBellRinging, IconCircleCheck, IconCircleX } from '@tabler/icons-react';
import { useId, useState } from 'react';
import { useLocation } from 'wouter';
import { EmptyState } from '../../components/EmptyState';
import { Timestamp } from '../../components/Timestamp';
import { useMessages } from '../../lib/messages';
import { ConnectionState } from '../live/ConnectionState';
import { browserNoticeState, switchBrowserNotices } from './browserNotices';
import classes from './NoticeCenter.module.css';
import { notices, unreadCount, type Notice } from './noticeStore';
import { noticeDetail, noticeTitle } from './noticeText';
import { useNotices } from './useNotices';

const MOST_SHOWN = 99;

export function NoticeCenter() {
  const messages = useMessages();
  const list = useNotices();
  const [opened, setOpened] = useState(false);
  const titleId = useId();
  const unread = unreadCount(list);
  const count = unread > MOST_SHOWN ? `${MOST_SHOWN}+` : String(unread);
  return (
    <Popover
      opened={opened}
      onChange={setOpened}
      position="bottom-end"
      width="min(24rem, calc(100vw - 1rem))"
      shadow="md"
      trapFocus
      returnFocus
    >
      <Indicator label={count} size={18} color="red.8" disabled={unread === 0} offset={5}>
        <Popover.Target>
          <ActionIcon
            variant="default"
            size="lg"
            aria-label={messages.notices.open(unread)}
            title={messages.notices.title}
            onClick={() => setOpened((was) => !was)}
          >
            {unread > 0 ? (
              <IconBellRinging size={18} aria-hidden />
            ) : (
              <IconBell size={18} aria-hidden />
            )}
          </ActionIcon>
        </Popover.Target>
      </Indicator>
      <Popover.Dropdown p={0} aria-labelledby={titleId} data-notice-center>
        <Group justify="space-between" px="md" pt="sm" pb="xs" wrap="nowrap">
          <Title order={2} size="h5" id={titleId}>
            {messages.notices.title}
          </Title>
          <ConnectionState />
        </Group>
        {list.length === 0 ? (
          <EmptyState
            icon={<IconBell size={24} />}
            title={messages.notices.empty}
            detail={messages.notices.emptyDetail}
          />
        ) : (
          <ScrollArea.Autosize mah="min(24rem, 60vh)" type="auto">
            <ul className={classes.list} aria-label={messages.notices.title}>
              {list.map((notice) => (
                <NoticeRow key={notice.id} notice={notice} onOpen={() => setOpened(false)} />
              ))}
            </ul>
          </ScrollArea.Autosize>
        )}
        <Stack gap="sm" px="md" py="sm" className={classes.foot ?? ''}>
          {list.length > 0 && (
            <Group gap="xs" grow>
              <Button
                size="xs"
                variant="light"
                disabled={unread === 0}
                onClick={() => notices.markAllRead()}
              >
                {messages.notices.markAllRead}
              </Button>
              <Button size="xs" variant="default" onClick={() => notices.clear()}>
                {messages.notices.clear}
              </Button>
            </Group>
          )}
          <BrowserNoticeSwitch />
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

function NoticeRow({ notice, onOpen }: { notice: Notice; onOpen: () => void }) {
  const messages = useMessages();
  const [, navigate] = useLocation();
  const finished = notice.outcome === 'FINISHED';
  return (
    <li>
      <UnstyledButton
        className={classes.row ?? ''}
        data-unread={!notice.read}
        onClick={() => {
          notices.markRead(notice.id);
          onOpen();
          navigate(`/orders/${notice.orderId}`);
        }}
      >
        <span className={classes.icon} data-finished={finished}>
          {finished ? (
            <IconCircleCheck size={20} aria-hidden />
          ) : (
            <IconCircleX size={20} aria-hidden />
          )}
        </span>
        <span className={classes.what}>
          <Text span size="sm" fw={600} display="block">
            {noticeTitle(notice, messages)}
          </Text>
          <Text span size="sm" display="block" lineClamp={2}>
            {noticeDetail(notice, messages)}
          </Text>
          <Text span size="xs" c="dimmed" display="block">
            <Timestamp value={notice.at} />
          </Text>
        </span>
        {!notice.read && (
          <span className={classes.dot} role="img" aria-label={messages.notices.unread} />
        )}
      </UnstyledButton>
    </li>
  );
}

function BrowserNoticeSwitch() {
  const messages = useMessages();
  const [state, setState] = useState(browserNoticeState);
  const unavailable = state === 'unsupported' || state === 'blocked';
  return (
    <Switch
      size="sm"
      label={messages.notices.browser}
      description={
        state === 'unsupported'
          ? messages.notices.browserUnsupported
          : state === 'blocked'
            ? messages.notices.browserBlocked
            : messages.notices.browserDetail
      }
      checked={state === 'on'}
      disabled={unavailable}
      onChange={(event) => {
        void switchBrowserNotices(event.currentTarget.checked).then(setState);
      }}
    />
  );
}
