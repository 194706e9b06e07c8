/** @jsxImportSource preact */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { effect } from '@preact/signals';
import { render } from 'preact';
import { me } from './api.js';
import { App } from './app.js';
import { listen } from './live.js';
import { startClock } from './parts.js';
import { listenToAddress } from './router.js';
import { readColours, startTheme } from './theme.js';

startTheme();
document.addEventListener('DOMContentLoaded', () => {
  readColours();
  listenToAddress();
  const stop = effect(() => {
    // Those who may not see anything are not told of anything.
    if (!me.value) return;
    queueMicrotask(() => stop());
    listen();
  });
  startClock();
  render(<App />, document.body);
});
