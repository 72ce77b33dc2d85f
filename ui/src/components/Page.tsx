import { Group, Title } from '@mantine/core';
import { useEffect, useRef, type ReactNode } from 'react';
import { useMessages } from '../lib/messages';
import classes from './Page.module.css';

interface PageProps {
  title: string;
  /** Above the title, such as the way back. */
  above?: ReactNode;
  /** Beside the title. */
  actions?: ReactNode;
  children: ReactNode;
}

/** The page the last title was focused for; the first page leaves the focus where the browser put it. */
let shownPath: string | null = null;

/**
 * A page's frame. Whoever comes by a link inside the app has its title read out and starts from there:
 * the control that led here is gone.
 */
export function Page({ title, above, actions, children }: PageProps) {
  const messages = useMessages();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · ${messages.app.name}`;
  }, [title, messages]);
  useEffect(() => {
    const { pathname } = window.location;
    const moved = shownPath !== null && shownPath !== pathname;
    shownPath = pathname;
    if (!moved) return;
    window.scrollTo({ top: 0 });
    heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <>
      {above !== undefined && <div className={classes.above}>{above}</div>}
      <Group justify="space-between" mb="md" gap="sm" mih={36} wrap="nowrap">
        <Title order={1} size="h3" ref={heading} tabIndex={-1} className={classes.title ?? ''}>
          {title}
        </Title>
        {actions}
      </Group>
      {children}
    </>
  );
}
