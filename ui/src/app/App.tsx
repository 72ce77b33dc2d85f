import { Container } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { OutageBanner } from '../components/OutageBanner';
import { messages } from '../lib/messages';
import { Header } from './Header';
import { StartPage } from './StartPage';
import { UserPage } from './UserPage';
import { useUserLocation } from './userLocation';

export function App() {
  const { userId, tab } = useUserLocation();
  useEffect(() => {
    document.title =
      userId === null
        ? messages.app.name
        : `${messages.user.heading(userId)} · ${messages.app.name}`;
  }, [userId]);
  // The control that changed the page is gone with the old page; the new one takes the focus.
  const shownUser = useRef(userId);
  const content = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (shownUser.current === userId) return;
    shownUser.current = userId;
    content.current?.focus();
  }, [userId]);
  return (
    <>
      <Header userId={userId} />
      <Container component="main" size="xl" py="lg" id="content" ref={content} tabIndex={-1}>
        <OutageBanner />
        {userId === null ? <StartPage /> : <UserPage key={userId} userId={userId} tab={tab} />}
      </Container>
    </>
  );
}
