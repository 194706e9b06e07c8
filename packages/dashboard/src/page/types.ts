/** What the API takes and answers, under the names that the page has for it. */

import type { Answers, Bodies, TaskView } from '@sched/http';

export type { RunView, TaskView } from '@sched/http';

export type TaskState = TaskView['state'];

export type Me = Answers['getMe'];

export type TaskPage = Answers['listTasks'];

/** A task that is shown by itself. */
export type ShownTask = Answers['getTask'];

/** When something would run that is not there yet. */
export type Preview = Answers['previewTrigger'];

export type TaskPreview = Answers['previewTask'];

export type Runs = Answers['getHistory'];

/** The newest runs of all tasks. */
export type LatestRuns = Answers['listRuns'];

export type Upcoming = Answers['listUpcoming'];

export type Summary = Answers['getSummary'];

export type Worker = Answers['listWorkers'][number];

export type MinuteCounts = Worker['minutes'][number];

export type Histogram = Worker['lateness'];

export type Failures = Answers['listFailures'];

export type Failure = Failures['failures'][number];

export type Health = Answers['getHealth'];

export type AuditAnswer = Answers['listAudit'];

export type AuditEntry = AuditAnswer['entries'][number];

export type ActionAnswer = Answers['pauseTask'];

export type Created = Answers['createTask'];

export type Removed = Answers['removeTask'];

export type BulkAnswer = Answers['changeTasks'];

export type Action = Bodies['changeTasks']['action'];

/** Which tasks are listed or changed. */
export type Filter = NonNullable<Bodies['changeTasks']['filter']>;
