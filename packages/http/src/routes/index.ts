import type { Route } from '../route.js';
import { taskActions } from './actions.js';
import { audit } from './audit.js';
import { bulk } from './bulk.js';
import { events } from './events.js';
import { failures } from './failures.js';
import { health } from './health.js';
import { history } from './history.js';
import { me } from './me.js';
import { preview, previewTask } from './preview.js';
import { summary } from './summary.js';
import { countTasks, createTask, getTask, listTasks, removeTask, updateTask } from './tasks.js';
import { upcoming } from './upcoming.js';
import { workers } from './workers.js';

/** All operations, in the order of the OpenAPI document. */
export const routes: readonly Route[] = [
  ...[listTasks, createTask, getTask, updateTask, removeTask],
  ...taskActions,
  ...[previewTask, history, bulk, countTasks, summary, failures, preview],
  ...[upcoming, workers, events, health, audit, me],
];
