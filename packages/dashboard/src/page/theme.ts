/** Light or dark: as the system has it, unless the reader has chosen. */

import { effect, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';
export const themes: readonly Theme[] = ['system', 'light', 'dark'];

const key = 'sched-dashboard-theme';
const system = matchMedia('(prefers-color-scheme: dark)');

export const theme = signal<Theme>(stored());

/** The colours in force, for what style sheets cannot reach. */
export const colours = signal<Readonly<Record<string, string>>>({});

function stored(): Theme {
  try {
    const text = localStorage.getItem(key);
    return themes.find((each) => each === text) ?? 'system';
  } catch {
    return 'system';
  }
}

/** Puts the theme in force. Called before the body is there, so that nothing shows in the wrong colours. */
export function startTheme(): void {
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
    try {
      localStorage.setItem(key, theme.value);
    } catch {
      // Without a memory the choice lasts as long as the page.
    }
    readColours();
  });
  system.addEventListener('change', readColours);
}

export function readColours(): void {
  if (!document.body) return;
  const probe = document.createElement('span');
  document.body.append(probe);
  const names = ['good', 'bad', 'warn', 'info', 'mute', 'accent', 'line'];
  const read = names.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  colours.value = Object.fromEntries(read);
}
