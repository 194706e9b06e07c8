/** What the API takes and answers, as types: of the schemas that the OpenAPI document is made of. */

import type { InferInput, InferOutput } from 'valibot';
import type { actionAnswerSchema } from './routes/actions.js';
import type { auditSchema } from './routes/audit.js';
import type { bulkAnswerSchema, bulkSchema } from './routes/bulk.js';
import type { failuresSchema } from './routes/failures.js';
import type { healthSchema } from './routes/health.js';
import type { historySchema } from './routes/history.js';
import type { meSchema } from './routes/me.js';
import type { previewSchema, taskPreviewSchema } from './routes/preview.js';
import type { runPageSchema } from './routes/runs.js';
import type { summarySchema } from './routes/summary.js';
import type { countSchema, createdSchema, removedSchema, taskPageSchema } from './routes/tasks.js';
import type { upcomingSchema } from './routes/upcoming.js';
import type { workersSchema } from './routes/workers.js';
import type { changesSchema, newTaskSchema } from './schemas.js';
import type { shownSchema } from './views.js';

type ActionAnswer = InferOutput<typeof actionAnswerSchema>;

/** What is answered, by the name of the operation in the OpenAPI document. Events, which are no JSON, are not here. */
export interface Answers {
  readonly listTasks: InferOutput<typeof taskPageSchema>;
  readonly createTask: InferOutput<typeof createdSchema>;
  readonly getTask: InferOutput<typeof shownSchema>;
  /** Null where the task was removed in that very moment. */
  readonly updateTask: InferOutput<typeof shownSchema> | null;
  readonly removeTask: InferOutput<typeof removedSchema>;
  readonly pauseTask: ActionAnswer;
  readonly resumeTask: ActionAnswer;
  readonly runTask: ActionAnswer;
  readonly cancelTask: ActionAnswer;
  readonly retryTask: ActionAnswer;
  readonly previewTask: InferOutput<typeof taskPreviewSchema>;
  readonly getHistory: InferOutput<typeof historySchema>;
  readonly listRuns: InferOutput<typeof runPageSchema>;
  readonly changeTasks: InferOutput<typeof bulkAnswerSchema>;
  readonly countTasks: InferOutput<typeof countSchema>;
  readonly getSummary: InferOutput<typeof summarySchema>;
  readonly listFailures: InferOutput<typeof failuresSchema>;
  readonly previewTrigger: InferOutput<typeof previewSchema>;
  readonly listUpcoming: InferOutput<typeof upcomingSchema>;
  readonly listWorkers: InferOutput<typeof workersSchema>;
  readonly getHealth: InferOutput<typeof healthSchema>;
  readonly listAudit: InferOutput<typeof auditSchema>;
  readonly getMe: InferOutput<typeof meSchema>;
}

/** What is sent in the body of a request that changes tasks, by the name of the operation. */
export interface Bodies {
  readonly createTask: InferInput<typeof newTaskSchema>;
  readonly updateTask: InferInput<typeof changesSchema>;
  readonly changeTasks: InferInput<typeof bulkSchema>;
}
