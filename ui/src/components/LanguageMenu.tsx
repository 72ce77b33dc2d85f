import { ActionIcon, Menu } from '@mantine/core';
import { IconCheck, IconLanguage } from '@tabler/icons-react';
import { LANGUAGES, languages, type Language } from '../lib/language';
import { useLanguage, useMessages } from '../lib/messages';
import { showToast } from '../lib/toast';

export function LanguageMenu() {
  const messages = useMessages();
  const inUse = useLanguage();
  const choose = (language: Language) => {
    languages.choose(language).catch(() => {
      showToast({ color: 'red', message: messages.app.languageFailed });
    });
  };
  return (
    <Menu position="bottom-end" width={180}>
      <Menu.Target>
        <ActionIcon
          variant="default"
          size="lg"
          aria-label={messages.app.language}
          title={messages.app.language}
        >
          <IconLanguage size={18} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {Object.entries(LANGUAGES).map(([language, name]) => (
          <Menu.Item
            key={language}
            lang={language}
            aria-current={language === inUse}
            rightSection={language === inUse ? <IconCheck size={16} aria-hidden /> : null}
            onClick={() => choose(language as Language)}
          >
            {name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
