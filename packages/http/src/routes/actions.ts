import type { TaskClient } from '@sched/core';
import * as v from 'valibot';
import { auditedExisting } from '../audited.js';
import { type Route, route } from '../route.js';
import { storeQuery } from '../schemas.js';

/** Does something to a task. Gives whether that changed anything, or the id of a task that it created. */
export type Act = (client: TaskClient, id: string) => Promise<boolean | string>;

/** What can be done to a task, one or many. */
export const actions = {
  pause: async (client: TaskClient, id: string) => (await client.pause(id)) > 0,
  resume: async (client: TaskClient, id: string) => (await client.resume(id)) > 0,
  run: async (client: TaskClient, id: string) => client.runNow(id),
  cancel: async (client: TaskClient, id: string) => client.cancel(id),
  retry: async (client: TaskClient, id: string) => {
    await client.retry(id);
    return true;
  },
  remove: async (client: TaskClient, id: string) => (await client.remove(id)) > 0,
} satisfies Record<string, Act>;

export type Action = keyof typeof actions;

export const actionAnswerSchema = v.strictObject({
  changed: v.pipe(v.boolean(), v.description('False where it was so already.')),
  childId: v.optional(v.pipe(v.string(), v.description('The task that `run` created.'))),
});

function action(name: Exclude<Action, 'remove'>, summary: string): Route {
  return route({
    method: 'POST',
    path: `/tasks/{id}/${name}`,
    operation: `${name}Task`,
    summary,
    may: 'operate',
    query: storeQuery,
    answer: actionAnswerSchema,
    async handle(call) {
      const { client, id } = call;
      const act: Act = actions[name];
      const result = await auditedExisting(call, () => act(client, id));
      return typeof result === 'string' ? { changed: true, childId: result } : { changed: result };
    },
  });
}

export const taskActions = [
  action('pause', 'Stops a task from running until it is resumed. A run in progress goes on.'),
  action('resume', 'Lets a paused task run again.'),
  action('run', 'Runs a task now, beside its schedule, as a task of its own.'),
  action('cancel', 'Aborts the run of a task, wherever it runs. It counts as failed.'),
  action('retry', 'Gives a failed task another chance, with all its attempts.'),
];
