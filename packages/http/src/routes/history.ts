import * as v from 'valibot';
import { route } from '../route.js';
import { limitEntry, storeEntries } from '../schemas.js';
import { runSchema, runView } from '../views.js';

export const historySchema = v.strictObject({ runs: v.array(runSchema) });

export const history = route({
  method: 'GET',
  path: '/tasks/{id}/history',
  operation: 'getHistory',
  summary:
    'The outcomes of a task, newest first, with the occurrences that did not run and why. It outlives the task.',
  may: 'read',
  query: v.strictObject({ ...storeEntries, limit: limitEntry(1000, 100) }),
  answer: historySchema,
  async handle({ client, id, query: { limit = 100 }, redact }) {
    return { runs: (await client.history(id, limit)).map((run) => runView(run, redact)) };
  },
});
