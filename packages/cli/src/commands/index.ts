import type { CreateCommand } from '../command.js';
import { add } from './add.js';
import { cancel } from './cancel.js';
import { copy } from './copy.js';
import { dashboard } from './dashboard.js';
import { doctor } from './doctor.js';
import { exportTasks } from './export.js';
import { failures } from './failures.js';
import { history } from './history.js';
import { importTasks } from './import.js';
import { list } from './list.js';
import { next } from './next.js';
import { pause } from './pause.js';
import { preview } from './preview.js';
import { remove } from './remove.js';
import { reschedule } from './reschedule.js';
import { resume } from './resume.js';
import { retry } from './retry.js';
import { run } from './run.js';
import { runs } from './runs.js';
import { schema } from './schema.js';
import { show } from './show.js';
import { top } from './top.js';
import { workers } from './workers.js';

/** Every command, as the help lists them. To add one, write its file and put it here. */
export const groups: Readonly<Record<string, readonly CreateCommand[]>> = {
  'Look:': [list, show, history, runs, next, preview, failures, workers, top, dashboard],
  'Change:': [add, run, pause, resume, retry, cancel, reschedule, remove],
  'Move:': [copy, exportTasks, importTasks],
  'Operate:': [doctor, schema],
};
