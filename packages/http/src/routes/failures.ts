import * as v from 'valibot';
import { type FailureKind, failureOf } from '../failure-groups.js';
import { route } from '../route.js';
import { scan } from '../scan.js';
import { label, storeEntries } from '../schemas.js';

/** How many ids of a kind to name. */
const examples = 10;

export const failures = route({
  method: 'GET',
  path: '/failures',
  operation: 'listFailures',
  summary:
    'The tasks that have failed for good, grouped by their error. An action on many takes the key of a group.',
  may: 'read',
  query: v.strictObject({
    ...storeEntries,
    name: v.optional(label),
    queue: v.optional(label),
    group: v.optional(label),
  }),
  answer: v.strictObject({
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
    isComplete: v.pipe(v.boolean(), v.description('False where there are more than were counted.')),
  }),
  async handle({ client, query: { store: _store, ...given }, limits }) {
    const groups = new Map<
      string,
      FailureKind & { count: number; newest: string | null; ids: string[] }
    >();
    const filter = { ...given, state: 'failed' as const };
    const next = await scan(client, filter as never, limits.tasksPerRequest, (tasks) => {
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
    });
    const sorted = [...groups.values()].sort((a, b) => b.count - a.count);
    return { failures: sorted, isComplete: next === null };
  },
});
