import { Card, createTheme, Notification, type CSSVariablesResolver } from '@mantine/core';

const sans =
  "'Inter Variable', system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif";

export const theme = createTheme({
  primaryColor: 'indigo',
  primaryShade: { light: 7, dark: 8 },
  defaultRadius: 'md',
  fontFamily: sans,
  headings: { fontFamily: sans, fontWeight: '650' },
  autoContrast: true,
  components: {
    Notification: Notification.extend({ defaultProps: { withBorder: true } }),
    Card: Card.extend({
      defaultProps: { withBorder: true, padding: 'lg', radius: 'lg', shadow: 'xs' },
    }),
  },
});

/** Mantine's secondary and status texts fall short of a 4.5:1 contrast on light backgrounds. */
export const resolveContrast: CSSVariablesResolver = ({ colors }) => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': colors.gray[7],
    '--mantine-color-placeholder': colors.gray[6],
    '--mantine-color-error': colors.red[9],
    '--mantine-color-red-text': colors.red[9],
    '--mantine-color-teal-text': colors.teal[9],
    '--mantine-color-teal-light-color': '#066649',
    '--mantine-color-orange-light-color': '#9c3a0c',
    // An active link of the navigation, under the pointer.
    '--mantine-color-indigo-light-hover': colors.indigo[1],
  },
  dark: {
    '--mantine-color-dimmed': colors.dark[1],
    '--mantine-color-placeholder': colors.dark[2],
    '--mantine-color-error': colors.red[4],
    '--mantine-color-red-text': colors.red[4],
    '--mantine-color-teal-text': colors.teal[4],
  },
});
