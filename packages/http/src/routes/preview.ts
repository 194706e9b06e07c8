import { at, cron, every, type TaskClient, type Trigger, type When } from '@sched/core';
import * as v from 'valibot';
import { notFound } from '../audited.js';
import { route } from '../route.js';
import { defined, limitEntry, readTrigger, storeQuery, taskId, whenSchema } from '../schemas.js';
import { occurrencesOf, occurrencesSchema, triggerSchema, triggerView } from '../views.js';

const moment = v.pipe(v.string(), v.isoTimestamp());
export const previewSchema = v.strictObject({
  trigger: v.nullable(triggerSchema),
  occurrences: v.pipe(v.array(moment), v.description('When it would run.')),
});

export const preview = route({
  method: 'POST',
  path: '/preview',
  operation: 'previewTrigger',
  summary: 'When a trigger would run. Changes nothing.',
  may: 'read',
  query: storeQuery,
  body: v.strictObject({
    ...whenSchema.entries,
    count: limitEntry(100, 10),
    from: v.optional(v.union([v.string(), v.number()])),
    id: v.optional(v.pipe(taskId, v.description('The task, which its jitter depends on.'))),
  }),
  answer: previewSchema,
  async handle({ client, body: { count = 10, from, id, ...given } }) {
    return previewOf(client, given, count, defined({ from, id }));
  },
});

export const taskPreviewSchema = v.strictObject({
  current: v.strictObject({ trigger: v.nullable(triggerSchema), occurrences: occurrencesSchema }),
  proposed: previewSchema,
});

export const previewTask = route({
  method: 'POST',
  path: '/tasks/{id}/preview',
  operation: 'previewTask',
  summary:
    'When a task runs as it is, and when it would with another trigger: what to show before that is saved.',
  may: 'read',
  query: storeQuery,
  body: v.strictObject({ ...whenSchema.entries, count: limitEntry(100, 10) }),
  answer: taskPreviewSchema,
  async handle({ client, id, body: { count = 10, ...given } }) {
    const task = await client.get(id);
    if (!task) throw notFound(id);
    return {
      current: {
        trigger: task.trigger && triggerView(task.trigger),
        occurrences: occurrencesOf(client, task, count),
      },
      proposed: previewOf(client, given, count, { id }),
    };
  },
});

function previewOf(
  client: TaskClient,
  given: v.InferOutput<typeof whenSchema>,
  count: number,
  options: { readonly from?: string | number; readonly id?: string },
) {
  const { trigger, ...rest } = given;
  const when = defined({ ...rest, trigger: trigger && readTrigger(client, trigger) }) as When;
  const occurrences = client.preview(when, count, options).map((date) => date.toISOString());
  const shown = triggerOf(when, occurrences[0]);
  return { trigger: shown && triggerView(shown.toJSON()), occurrences };
}

/** The trigger that a timing stands for; null for a moment that has no occurrence. */
function triggerOf(
  { trigger, timeZone, ...when }: When,
  first: string | undefined,
): Trigger | null {
  const options = timeZone === undefined ? {} : { timeZone };
  if (trigger) return trigger;
  if (when.every !== undefined) return every(when.every, options);
  if (when.cron !== undefined) return cron(when.cron, options);
  return first === undefined ? null : at(first);
}
