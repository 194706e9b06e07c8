import * as v from 'valibot';
import { readCursor, writeCursor } from '../cursor.js';
import { route } from '../route.js';
import { cursorEntry, defined, label, limitEntry, storeEntries } from '../schemas.js';
import { latestRunSchema, outcomeSchema, runView } from '../views.js';

export const runPageSchema = v.strictObject({
  runs: v.array(latestRunSchema),
  next: v.pipe(v.nullable(v.string()), v.description('The cursor of the next page.')),
});

export const runs = route({
  method: 'GET',
  path: '/runs',
  operation: 'listRuns',
  summary:
    'One page of the newest runs of all tasks, also of those that are gone. A page may be short, even empty, before the last one. 501 where the store has no such order: `capabilities` of `/health` tells.',
  may: 'read',
  query: v.strictObject({
    ...storeEntries,
    outcome: v.optional(outcomeSchema),
    name: v.optional(label),
    limit: limitEntry(500, 100),
    cursor: cursorEntry,
  }),
  answer: runPageSchema,
  async handle({ client, redact, query: { store, limit = 100, cursor, ...given } }) {
    const filter = defined(given);
    const listing = { store, filter: { ...filter, of: 'runs' } };
    const after = readCursor(listing, cursor);
    const page = await client.latestRuns({
      ...filter,
      limit,
      ...(after !== undefined && { after }),
    });
    return {
      runs: page.runs.map(({ id, name, ...run }) => ({ id, name, ...runView(run, redact) })),
      next: writeCursor(listing, page.next),
    };
  },
});
