/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { render } from 'preact';
import { App } from './app.js';
import { listen } from './live.js';
import { startClock } from './parts.js';
import { listenToAddress } from './router.js';
import { readColours, startTheme } from './theme.js';

startTheme();
document.addEventListener('DOMContentLoaded', () => {
  readColours();
  listenToAddress();
  listen();
  startClock();
  render(<App />, document.body);
});
