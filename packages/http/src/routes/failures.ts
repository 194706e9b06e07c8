import type { TaskInfo } from '@sched/core';
import * as v from 'valibot';
import { readCursor, writeCursor } from '../cursor.js';
import { type FailureKind, failureOf } from '../failure-groups.js';
import { route } from '../route.js';
import { pagesAtOnce, scan } from '../scan.js';
import { cursorEntry, filterOf, label, storeEntries } from '../schemas.js';

/** How many ids of a kind to name. */
const examples = 10;

export const failuresSchema = v.strictObject({
  failures: v.array(
    v.strictObject({
      key: v.string(),
      name: v.string(),
      error: v.strictObject({
        name: v.string(),
        message: v.pipe(v.string(), v.description('What differs from task to task left out.')),
        code: v.optional(v.string()),
      }),
      count: v.number(),
      newest: v.nullable(v.string()),
      ids: v.pipe(v.array(v.string()), v.description(`Up to ${examples} of them.`)),
    }),
  ),
  isComplete: v.pipe(
    v.boolean(),
    v.description(
      'False where tasks are left to look at: there may be other groups, and more of these.',
    ),
  ),
  next: v.pipe(
    v.nullable(v.string()),
    v.description('The cursor with which to look on. What it gives is to be added to this.'),
  ),
});

export const failures = route({
  method: 'GET',
  path: '/failures',
  operation: 'listFailures',
  summary: `The tasks that have failed for good, grouped by their error, of as many tasks as ${pagesAtOnce} pages of the store show. An action on many takes the key of a group.`,
  may: 'read',
  query: v.strictObject({
    ...storeEntries,
    name: v.optional(label),
    queue: v.optional(label),
    group: v.optional(label),
    cursor: cursorEntry,
  }),
  answer: failuresSchema,
  async handle({ client, query: { store, cursor, ...given }, limits }) {
    const groups = new Map<
      string,
      FailureKind & { count: number; newest: string | null; ids: string[] }
    >();
    const filter = filterOf({ ...given, state: 'failed' });
    const listing = { store, filter: { ...filter, of: 'failures' } };
    const from = readCursor(listing, cursor);
    const bounds = { tasks: limits.tasksPerRequest, pages: pagesAtOnce };
    const take = (tasks: readonly TaskInfo[]) => {
      for (const task of tasks) {
        const kind = failureOf(task);
        const group = groups.get(kind.key) ?? { ...kind, count: 0, newest: null, ids: [] };
        groups.set(kind.key, group);
        const endedAt = task.lastRun?.endedAt.toISOString() ?? null;
        group.count++;
        if (endedAt !== null && (group.newest === null || endedAt > group.newest))
          group.newest = endedAt;
        if (group.ids.length < examples) group.ids.push(task.id);
      }
    };
    const next = await scan(client, filter, bounds, take, from);
    const sorted = [...groups.values()].sort((a, b) => b.count - a.count);
    return { failures: sorted, isComplete: next === null, next: writeCursor(listing, next) };
  },
});
