import { defineTask, type ScheduleOptions, type TaskInfo } from '@sched/core';
import * as v from 'valibot';
import { audited, auditedExisting, notFound } from '../audited.js';
import { readCursor, writeCursor } from '../cursor.js';
import { type Call, route } from '../route.js';
import { pagesAtOnce } from '../scan.js';
import {
  changesSchema,
  cursorEntry,
  defined,
  filterOf,
  filterQuery,
  limitEntry,
  newTaskSchema,
  searchEntries,
  storeEntries,
  storeQuery,
  whenAndPolicies,
} from '../schemas.js';
import { occurrencesOf, shownSchema, taskSchema, taskView } from '../views.js';

export const taskPageSchema = v.strictObject({
  tasks: v.array(taskSchema),
  next: v.pipe(v.nullable(v.string()), v.description('The cursor of the next page.')),
});

export const listTasks = route({
  method: 'GET',
  path: '/tasks',
  operation: 'listTasks',
  summary:
    'One page of the tasks that match. A page may be short, even empty, before the last one.',
  may: 'read',
  query: v.strictObject({
    ...storeEntries,
    ...searchEntries,
    limit: limitEntry(500, 100),
    cursor: cursorEntry,
    payloads: v.pipe(
      v.optional(v.boolean()),
      v.description('Whether to send payloads, too, which may be large. Default false.'),
    ),
  }),
  answer: taskPageSchema,
  async handle({ client, query, redact }) {
    const { store, limit = 100, cursor, payloads = false, idPrefix = '', ...given } = query;
    const filter = filterOf(given);
    const listing = { store, filter: { ...filter, idPrefix: idPrefix || undefined } };
    const tasks: TaskInfo[] = [];
    let after: string | null | undefined = readCursor(listing, cursor);
    let pages = 0;
    do {
      const page = await client.listPage({
        ...{ ...filter, limit: limit - tasks.length },
        ...(after !== undefined && { after }),
      });
      tasks.push(...page.tasks.filter(({ id }) => id.startsWith(idPrefix)));
      after = page.next;
      pages++;
    } while (idPrefix !== '' && after !== null && tasks.length < limit && pages < pagesAtOnce);
    return {
      tasks: tasks.map((task) =>
        taskView(payloads ? task : { ...task, payload: undefined }, redact),
      ),
      next: writeCursor(listing, after),
    };
  },
});

export const countSchema = v.strictObject({ count: v.number() });

export const countTasks = route({
  method: 'GET',
  path: '/count',
  operation: 'countTasks',
  summary: 'How many tasks match. Takes longer the more there are.',
  may: 'read',
  query: filterQuery,
  answer: countSchema,
  async handle({ client, query: { store: _store, ...given } }) {
    return { count: await client.count(filterOf(given)) };
  },
});

export const createdSchema = v.strictObject({
  outcome: v.picklist(['created', 'updated', 'replaced', 'unchanged']),
  task: v.nullable(shownSchema),
});

export const createTask = route({
  method: 'POST',
  path: '/tasks',
  operation: 'createTask',
  summary: 'Schedules a task.',
  may: 'admin',
  query: storeQuery,
  body: newTaskSchema,
  answer: createdSchema,
  async handle(call) {
    const { client, body } = call;
    const { task, id, payload, queue, group, onConflict = 'error', debounce, ...when } = body;
    const options = defined({
      ...whenAndPolicies(client, when),
      ...{ id, payload, queue, group, debounce },
      // What is put off may well be there already, and core refuses the two together.
      onConflict: debounce === undefined ? onConflict : undefined,
    }) as ScheduleOptions<unknown>;
    const scheduled = await audited(
      call,
      id ?? null,
      () => client.schedule(defineTask<unknown>(task), options),
      (result) => result.id,
    );
    return { outcome: scheduled.outcome, task: await show(call, scheduled.id) };
  },
});

export const getTask = route({
  method: 'GET',
  path: '/tasks/{id}',
  operation: 'getTask',
  summary: 'A task, and when it runs next.',
  may: 'read',
  query: v.strictObject({ ...storeEntries, occurrences: limitEntry(100, 10) }),
  answer: shownSchema,
  async handle(call) {
    const task = await show(call, call.id, call.query.occurrences);
    if (task) return task;
    throw notFound(call.id);
  },
});

export const updateTask = route({
  method: 'PATCH',
  path: '/tasks/{id}',
  operation: 'updateTask',
  summary: 'Changes a task. A run in progress goes on as it began.',
  may: 'admin',
  query: storeQuery,
  body: changesSchema,
  answer: v.nullable(shownSchema),
  async handle(call) {
    const { client, id, body } = call;
    const { queue, group } = body;
    const changes = {
      ...defined({ ...whenAndPolicies(client, body), queue, group }),
      ...('payload' in body && { payload: body.payload }),
    };
    await auditedExisting(call, () => client.update(id, changes));
    return show(call, id);
  },
});

export const removedSchema = v.strictObject({ removed: v.literal(1) });

export const removeTask = route({
  method: 'DELETE',
  path: '/tasks/{id}',
  operation: 'removeTask',
  summary: 'Removes a task, also while it runs. Its history stays.',
  may: 'admin',
  query: storeQuery,
  answer: removedSchema,
  async handle(call) {
    const { client, id } = call;
    await auditedExisting(call, () => client.remove(id));
    return { removed: 1 as const };
  },
});

async function show({ client, redact }: Call<unknown, unknown>, id: string, limit = 10) {
  const task = await client.get(id);
  if (!task) return null;
  return { ...taskView(task, redact), occurrences: occurrencesOf(client, task, limit) };
}
