/** The forms of what comes in. Core checks what they mean: that a time zone exists, that a retry fits its policy. */

import type { ListFilter, Policies, TaskClient, Trigger, When } from '@sched/core';
import * as v from 'valibot';
import { stateSchema } from './views.js';

export const label = v.pipe(v.string(), v.minLength(1), v.maxLength(255));
export const taskId = v.pipe(v.string(), v.minLength(1), v.maxLength(300));

const time = v.pipe(
  v.union([v.string(), v.number()]),
  v.description('ISO 8601 with Z or an offset, or epoch milliseconds.'),
);

const duration = v.pipe(
  v.union([v.string(), v.number()]),
  v.description("Whole milliseconds, or text such as '90s', '5m' or '1h30m'."),
);

const calendarDuration = v.partial(
  v.strictObject({
    years: v.number(),
    months: v.number(),
    weeks: v.number(),
    days: v.number(),
    hours: v.number(),
    minutes: v.number(),
    seconds: v.number(),
    milliseconds: v.number(),
  }),
);

const storedTrigger = v.pipe(
  v.looseObject({ kind: label }),
  v.description('A trigger in its stored form: that of `trigger.json` of a task.'),
);

/** When a task runs: one of these, and with `every` or `cron` a time zone if need be. */
const whenEntries = {
  at: v.optional(time),
  in: v.optional(duration),
  every: v.optional(v.union([v.string(), v.number(), calendarDuration])),
  cron: v.optional(v.pipe(v.string(), v.maxLength(1000))),
  timeZone: v.optional(label),
  trigger: v.optional(storedTrigger),
};

const policyEntries = {
  retry: v.optional(
    v.union([
      v.number(),
      v.partial(
        v.strictObject({
          limit: v.number(),
          backoff: v.picklist(['fixed', 'exponential']),
          min: duration,
          max: duration,
          jitter: v.number(),
          whenExhausted: v.picklist(['continue', 'pause']),
        }),
      ),
    ]),
  ),
  timeout: v.optional(duration),
  overlap: v.optional(
    v.union([
      v.picklist(['skip', 'queueOne', 'queueAll', 'allow', 'replace']),
      v.strictObject({
        mode: v.picklist(['skip', 'queueOne', 'queueAll', 'allow', 'replace']),
        maxRunning: v.optional(v.number()),
      }),
    ]),
  ),
  catchUp: v.optional(
    v.union([
      v.picklist(['none', 'latest', 'all']),
      v.strictObject({
        mode: v.picklist(['none', 'latest', 'all']),
        window: v.optional(duration),
        limit: v.optional(v.number()),
        grace: v.optional(duration),
      }),
    ]),
  ),
  delivery: v.optional(v.picklist(['atLeastOnce', 'atMostOnce'])),
  maxDeliveries: v.optional(v.number()),
  keepFinished: v.optional(v.boolean()),
};

export const whenSchema = v.strictObject(whenEntries);

export const newTaskSchema = v.strictObject({
  task: v.pipe(label, v.description('The name of a task definition that the server has.')),
  id: v.optional(label),
  payload: v.optional(v.unknown()),
  queue: v.optional(label),
  group: v.optional(label),
  onConflict: v.optional(
    v.pipe(
      v.picklist(['error', 'update', 'keep', 'replace']),
      v.description('What to do where the id exists. Default `error`.'),
    ),
  ),
  debounce: v.optional(duration),
  ...whenEntries,
  ...policyEntries,
});

export const changesSchema = v.strictObject({
  payload: v.optional(v.unknown()),
  queue: v.optional(label),
  group: v.optional(v.nullable(label)),
  ...whenEntries,
  ...policyEntries,
});

const filterEntries = {
  state: v.optional(stateSchema),
  name: v.optional(label),
  queue: v.optional(label),
  group: v.optional(label),
  ungrouped: v.optional(v.pipe(v.boolean(), v.description('Only tasks without a group.'))),
  paused: v.optional(v.pipe(v.boolean(), v.description('Paused, also while a run goes on.'))),
};

/** Every call is about one store. */
export const storeEntries = {
  store: v.optional(v.pipe(label, v.description('The alias of the store. Default: the first.'))),
};

const idPrefix = v.pipe(
  v.optional(taskId),
  v.description(
    'How the ids begin. No store can look that up, so tasks are read one after the other: slow where there are many.',
  ),
);

export const filterSchema = v.strictObject(filterEntries);
export const storeQuery = v.strictObject(storeEntries);
export const filterQuery = v.strictObject({ ...storeEntries, ...filterEntries });
/** What no store filters by itself. */
export const searchEntries = { ...filterEntries, idPrefix };

const limit = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most));
export const limitEntry = (most: number, fallback: number) =>
  v.pipe(v.optional(limit(most)), v.description(`At most ${most}. Default ${fallback}.`));
export const cursorEntry = v.optional(
  v.pipe(v.string(), v.maxLength(4000), v.description('The `next` of the page before.')),
);

/** @throws SchedError `SCHED_ARGUMENT_INVALID` when members contradict each other */
export function filterOf(given: v.InferOutput<typeof filterSchema>): ListFilter {
  const { ungrouped, state, name, queue, group, paused } = given;
  return defined({ state, name, queue, paused, group: ungrouped ? null : group });
}

/** The members of a task's timing and policies, with its trigger made of the stored form. */
export function whenAndPolicies(
  client: TaskClient,
  given: v.InferOutput<typeof changesSchema>,
): When & Policies {
  const { trigger, payload: _payload, queue: _queue, group: _group, ...rest } = given;
  return defined({ ...rest, trigger: trigger && readTrigger(client, trigger) }) as When & Policies;
}

/** @throws what the kind of the trigger throws */
export function readTrigger(client: TaskClient, json: { readonly kind: string }): Trigger {
  return client.readTrigger(json as Parameters<TaskClient['readTrigger']>[0]);
}

/** Without the members that are undefined. */
export function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(value).filter(([, member]) => member !== undefined),
  ) as never;
}
