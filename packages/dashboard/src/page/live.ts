/** Says when to look again: at once when the server tells of something, and from time to time in any case. */

import { signal } from '@preact/signals';
import { address } from './api.js';

/** `live`: the server tells what happens. `polling`: it does not, so the page asks more often. */
export const connection = signal<'live' | 'polling'>('polling');

/** Counts up whenever there may be something new. */
export const pulse = signal(0);

/** Something that has happened in the process that serves the page. */
export interface Activity {
  readonly key: number;
  readonly name: string;
  readonly at: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The latest, newest first. */
export const activities = signal<readonly Activity[]>([]);

/** What the page shows as activity. Of the others it only learns that something has changed. */
const shown = [
  ...['started', 'succeeded', 'failed', 'retried', 'interrupted', 'skipped', 'deferred', 'lost'],
  ...['abandoned', 'saturated', 'storeError', 'storeRecovered', 'changed'],
];
const silent = ['hello', 'reset', 'more', 'scheduled', 'removed', 'paused', 'resumed', 'spawned'];

const keptActivities = 60;
/** The shortest time between two looks. */
const restMs = 2000;
const pollMs = 5000;
/** How often to look while the server tells what happens: other processes may do something, too. */
const safetyMs = 15_000;
/** When to connect again where the server refused to tell. */
const retryMs = 30_000;
/** After how long without anybody looking to let go of the connection, of which there are only so many. */
const hiddenMs = 60_000;

let source: EventSource | undefined;
let retry: number | undefined;
let resting: number | undefined;
let isDue = false;
let lastPulseAt = 0;
let count = 0;

/** Looks again, soon. */
export function touch(): void {
  isDue = true;
  if (resting !== undefined || document.hidden) return;
  beat();
}

function beat(): void {
  isDue = false;
  lastPulseAt = Date.now();
  pulse.value++;
  resting = window.setTimeout(() => {
    resting = undefined;
    if (isDue && !document.hidden) beat();
  }, restMs);
}

function connect(): void {
  clearTimeout(retry);
  source?.close();
  const opened = new EventSource(address('events'));
  source = opened;
  opened.onopen = () => {
    connection.value = 'live';
  };
  opened.onerror = () => {
    connection.value = 'polling';
    // The browser connects again by itself, unless the answer was no.
    if (opened.readyState === EventSource.CLOSED) {
      retry = window.setTimeout(connect, retryMs * (1 + Math.random()));
    }
  };
  for (const name of silent) opened.addEventListener(name, touch);
  for (const name of shown) opened.addEventListener(name, (event) => take(name, event.data));
}

function take(name: string, text: string): void {
  const data: Activity['data'] = JSON.parse(text);
  const activity = { key: count++, name, at: Date.now(), data };
  activities.value = [activity, ...activities.value].slice(0, keptActivities);
  touch();
}

function disconnect(): void {
  clearTimeout(retry);
  source?.close();
  source = undefined;
  connection.value = 'polling';
}

/** Begins to listen, to what happens in the store that is looked at. */
export function listen(): void {
  let hiding: number | undefined;
  connect();
  setInterval(() => {
    const everyMs = connection.value === 'live' ? safetyMs : pollMs;
    if (!document.hidden && Date.now() - lastPulseAt >= everyMs) touch();
  }, 1000);
  document.addEventListener('visibilitychange', () => {
    clearTimeout(hiding);
    if (document.hidden) {
      hiding = window.setTimeout(disconnect, hiddenMs);
    } else {
      if (!source) connect();
      touch();
    }
  });
}

/** Listens to another store. */
export function listenAnew(): void {
  activities.value = [];
  connect();
}
