import type { TaskState } from '@sched/core';
import * as v from 'valibot';
import { route } from '../route.js';
import { pagesAtOnce, scan } from '../scan.js';
import { storeQuery } from '../schemas.js';
import { stateSchema } from '../views.js';

/** How many tasks to look at. */
const looked = 1000;

const counted = v.pipe(
  v.nullable(v.number()),
  v.description('Null where there are too many tasks to count them here: ask `/count`.'),
);
const labels = v.array(v.strictObject({ value: v.string(), count: counted }));

export const summarySchema = v.strictObject({
  isComplete: v.pipe(
    v.boolean(),
    v.description(
      'Whether these are all tasks. Otherwise there may be other values, and no count is known.',
    ),
  ),
  total: v.nullable(v.number()),
  states: v.array(v.strictObject({ value: stateSchema, count: counted })),
  queues: labels,
  groups: v.array(v.strictObject({ value: v.nullable(v.string()), count: counted })),
  names: labels,
});

export const summary = route({
  method: 'GET',
  path: '/summary',
  operation: 'getSummary',
  summary: `Which states, queues, groups and names there are, as the first ${looked} tasks show. Never reads more.`,
  may: 'read',
  query: storeQuery,
  answer: summarySchema,
  async handle({ client }) {
    const found = {
      states: new Map<TaskState, number>(),
      queues: new Map<string, number>(),
      groups: new Map<string | null, number>(),
      names: new Map<string, number>(),
    };
    let total = 0;
    const bounds = { tasks: looked, pages: pagesAtOnce };
    const next = await scan(client, {}, bounds, (tasks) => {
      total += tasks.length;
      for (const { state, queue, group, name } of tasks) {
        increase(found.states, state);
        increase(found.queues, queue);
        increase(found.groups, group);
        increase(found.names, name);
      }
    });
    const isComplete = next === null;
    const list = <T>(counts: Map<T, number>) =>
      [...counts].map(([value, count]) => ({ value, count: isComplete ? count : null }));
    return {
      isComplete,
      total: isComplete ? total : null,
      states: list(found.states),
      queues: list(found.queues),
      groups: list(found.groups),
      names: list(found.names),
    };
  },
});

function increase<T>(counts: Map<T, number>, value: T): void {
  counts.set(value, (counts.get(value) ?? 0) + 1);
}
