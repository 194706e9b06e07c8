import { isSchedError, type ListFilter, type TaskInfo } from '@sched/core';
import * as v from 'valibot';
import { readCursor, writeCursor } from '../cursor.js';
import { failureOf } from '../failure-groups.js';
import type { Limits } from '../options.js';
import { errorView, refuse } from '../problem.js';
import { type Call, route } from '../route.js';
import { type ScanLimits, scan } from '../scan.js';
import { cursorEntry, filterOf, searchEntries, storeQuery, taskId } from '../schemas.js';
import { type Act, type Action, actions } from './actions.js';

/** How many tasks to change at once. */
const atOnce = 10;
/** How many failures of single tasks to tell of, and how many ids to write to the audit log. */
const told = 100;

const selectionSchema = v.strictObject({
  ids: v.optional(v.pipe(v.array(taskId), v.minLength(1), v.maxLength(1000))),
  filter: v.optional(
    v.strictObject({
      ...searchEntries,
      failure: v.optional(
        v.pipe(v.string(), v.maxLength(2000), v.description('The key of a group of failures.')),
      ),
    }),
  ),
});

export const bulkSchema = v.strictObject({
  action: v.picklist(['pause', 'resume', 'run', 'cancel', 'retry', 'remove']),
  ...selectionSchema.entries,
  dryRun: v.pipe(
    v.optional(v.boolean()),
    v.description('Only say how many tasks there are. Default true.'),
  ),
  atMost: v.pipe(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
    v.description(
      'The number that a dry run gave. Needed with `filter`, and nothing is done where more match.',
    ),
  ),
  cursor: cursorEntry,
});

type Bulk = v.InferOutput<typeof bulkSchema>;

export const bulkAnswerSchema = v.strictObject({
  dryRun: v.boolean(),
  matched: v.pipe(v.number(), v.description('How many tasks were looked at, or match.')),
  isComplete: v.pipe(v.boolean(), v.description('False where there are more.')),
  changed: v.number(),
  failures: v.array(v.strictObject({ id: v.string(), code: v.string(), message: v.string() })),
  next: v.pipe(v.nullable(v.string()), v.description('The cursor with which to go on.')),
});

export const bulk = route({
  method: 'POST',
  path: '/bulk',
  operation: 'changeTasks',
  summary:
    'Does the same to many tasks: those with these ids, or those that match a filter. Says first how many these are.',
  may: 'operate',
  query: storeQuery,
  body: bulkSchema,
  answer: bulkAnswerSchema,
  async handle(call) {
    const { action, ids, filter, dryRun = true, atMost } = call.body;
    call.assertMay(action === 'remove' ? 'admin' : 'operate');
    if ((ids === undefined) === (filter === undefined)) {
      throw refuse('SCHED_ARGUMENT_INVALID', 'Which tasks? Give one of ids and filter.');
    }
    if (dryRun) return { dryRun, ...(await counted(call)), changed: 0, failures: [], next: null };
    if (filter !== undefined && call.body.cursor === undefined) {
      if (atMost === undefined) {
        throw refuse(
          'SCHED_ARGUMENT_INVALID',
          'atMost is missing: the number that a dry run gave.',
        );
      }
      const { matched } = await counted(call);
      if (matched > atMost) {
        throw refuse(
          'SCHED_ARGUMENT_INVALID',
          `${matched} tasks match by now, more than ${atMost}. Nothing was done: look again.`,
          { status: 409, details: { matched, atMost } },
        );
      }
    }
    return applied(call, action);
  },
});

type BulkCall = Call<v.InferOutput<typeof storeQuery>, Bulk>;

/** How many tasks the call is about. */
async function counted({ client, body, limits }: BulkCall) {
  const { ids, filter } = body;
  if (ids) {
    const found = await Promise.all([...new Set(ids)].map((id) => client.get(id)));
    return { matched: found.filter(Boolean).length, isComplete: true };
  }
  const { wanted, others, isWanted } = readFilter(filter);
  // The store counts by itself what it can filter by itself.
  if (others === null) return { matched: await client.count(wanted), isComplete: true };
  let matched = 0;
  const next = await scan(client, wanted, boundsOf(limits), (tasks) => {
    matched += tasks.filter(isWanted).length;
  });
  return { matched, isComplete: next === null };
}

async function applied(call: BulkCall, action: Action) {
  const { client, body, limits, audit, caller, operation, events } = call;
  const { wanted, others, isWanted } = readFilter(body.filter);
  const listing = { store: call.store, filter: { ...wanted, ...others } };
  const results = {
    matched: 0,
    changed: 0,
    failures: [] as { id: string; code: string; message: string }[],
  };
  const changedIds: string[] = [];
  const noteChanged = (ids: readonly string[]) => {
    changedIds.push(...ids.slice(0, told - changedIds.length));
  };
  const noteFailure = (id: string, error: unknown) => {
    // Whoever is in the way of one task is not in the way of the others; a store that fails is.
    if (!isSchedError(error) || isOfStore(error.code)) throw error;
    if (results.failures.length < told) results.failures.push({ id, ...errorView(error) });
  };
  const changeAll = async (ids: readonly string[]) => {
    results.matched += ids.length;
    if (ids.length > 0 && (action === 'pause' || action === 'resume' || action === 'remove')) {
      noteChanged(ids);
      results.changed += await client[action](ids);
      return;
    }
    const act: Act = actions[action];
    for (let start = 0; start < ids.length; start += atOnce) {
      const some = ids.slice(start, start + atOnce);
      // Waits for all, so that nothing is still under way when one of them ends this call.
      const settled = await Promise.allSettled(some.map((id) => act(client, id)));
      settled.forEach((result, index) => {
        const id = some[index] ?? '';
        if (result.status === 'rejected') noteFailure(id, result.reason);
        else if (result.value !== false) {
          results.changed++;
          noteChanged([id]);
        }
      });
    }
  };
  let outcome = 'ok';
  let next: string | null = null;
  try {
    if (body.ids) await changeAll([...new Set(body.ids)]);
    else {
      // A run is a task, too. To run those that this very call has created would never end.
      const matches = (task: TaskInfo) =>
        isWanted(task) && (action !== 'run' || task.parent === null);
      const take = (tasks: readonly TaskInfo[]) =>
        changeAll(tasks.filter(matches).map(({ id }) => id));
      const from = readCursor(listing, body.cursor);
      next = await scan(client, wanted, boundsOf(limits), take, from);
    }
  } catch (error) {
    outcome = isSchedError(error) ? error.code : 'SCHED_INTERNAL';
    throw error;
  } finally {
    const common = { action: `${operation}:${action}`, store: call.store ?? null, id: null };
    await audit.write(caller, {
      ...common,
      selection: { ...(body.filter && { filter: body.filter }), ids: changedIds },
      changed: results.changed,
      before: null,
      after: null,
      outcome,
    });
    events.announce('changed', common, call.store);
  }
  const cursor = writeCursor(listing, next);
  return { dryRun: false, ...results, isComplete: next === null, next: cursor };
}

/** What the store filters by, and what is left to look at here; `others` is null where that is nothing. */
function readFilter(filter: Bulk['filter']) {
  const { failure, idPrefix, ...given } = filter ?? {};
  const wanted: ListFilter = filterOf(given);
  return {
    wanted: failure === undefined ? wanted : { ...wanted, state: 'failed' as const },
    others: failure === undefined && idPrefix === undefined ? null : { failure, idPrefix },
    isWanted: (task: TaskInfo) =>
      task.id.startsWith(idPrefix ?? '') &&
      (failure === undefined || failureOf(task).key === failure),
  };
}

/** Whoever acts on many waits for it, so it may take as many pages as it takes to see these tasks. */
function boundsOf({ tasksPerRequest }: Limits): ScanLimits {
  return { tasks: tasksPerRequest, pages: tasksPerRequest };
}

function isOfStore(code: string): boolean {
  return code.startsWith('SCHED_STORE_') || code === 'SCHED_CLOSED';
}
