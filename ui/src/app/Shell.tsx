import { AppShell, Group, NavLink, UnstyledButton } from '@mantine/core';
import {
  IconHome2,
  IconListDetails,
  IconReceipt,
  IconTopologyStar3,
  type Icon,
} from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { ColorSchemeToggle } from '../components/ColorSchemeToggle';
import { LanguageMenu } from '../components/LanguageMenu';
import { Logo } from '../components/Logo';
import { OutageBanner } from '../components/OutageBanner';
import { ConnectionState } from '../features/live/ConnectionState';
import { NoticeCenter } from '../features/notices/NoticeCenter';
import { DemoBanner } from '../features/session/DemoBanner';
import { UserMenu } from '../features/session/UserMenu';
import { useSession } from '../features/session/useSession';
import { useMessages } from '../lib/messages';
import classes from './Shell.module.css';

interface Destination {
  href: string;
  label: string;
  icon: Icon;
}

function useDestinations(): Destination[] {
  const { nav } = useMessages();
  const { operator, userId } = useSession();
  return [
    { href: '/', label: nav.overview, icon: IconHome2 },
    { href: '/orders', label: nav.orders, icon: IconListDetails },
    ...(userId === null ? [] : [{ href: '/ledger', label: nav.ledger, icon: IconReceipt }]),
    ...(operator ? [{ href: '/operator', label: nav.pipeline, icon: IconTopologyStar3 }] : []),
  ];
}

function isHere(path: string, href: string): boolean {
  return path === href || (href !== '/' && path.startsWith(`${href}/`));
}

/** What is around every page: header, ways to the pages (below them on a phone), banners. */
export function Shell({ children }: { children: ReactNode }) {
  const messages = useMessages();
  const [path] = useLocation();
  const destinations = useDestinations();
  return (
    <AppShell
      header={{ height: 60 }}
      navbar={{ width: 220, breakpoint: 'sm', collapsed: { mobile: true } }}
      footer={{ height: { base: 64, sm: 0 } }}
    >
      <AppShell.Header>
        <a className={classes.skip} href="#content">
          {messages.app.skipToContent}
        </a>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Link href="/" className={classes.home} aria-label={messages.app.name}>
            <Logo />
          </Link>
          <Group gap="xs" wrap="nowrap">
            <div className={classes.connection}>
              <ConnectionState />
            </div>
            <NoticeCenter />
            <LanguageMenu />
            <ColorSchemeToggle />
            <UserMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="sm" aria-label={messages.nav.label} className={classes.navbar ?? ''}>
        {destinations.map(({ href, label, icon: DestinationIcon }) => (
          <NavLink
            key={href}
            component={Link}
            href={href}
            label={label}
            leftSection={<DestinationIcon size={18} aria-hidden />}
            active={isHere(path, href)}
            aria-current={isHere(path, href) ? 'page' : undefined}
          />
        ))}
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        <DemoBanner />
        <div className={classes.content}>
          <OutageBanner />
          {children}
        </div>
      </AppShell.Main>
      <AppShell.Footer hiddenFrom="sm" component="nav" aria-label={messages.nav.label}>
        <div className={classes.tabs}>
          {destinations.map(({ href, label, icon: DestinationIcon }) => (
            <UnstyledButton
              key={href}
              component={Link}
              href={href}
              className={classes.tab ?? ''}
              aria-current={isHere(path, href) ? 'page' : undefined}
            >
              <DestinationIcon size={20} aria-hidden />
              {label}
            </UnstyledButton>
          ))}
        </div>
      </AppShell.Footer>
    </AppShell>
  );
}
