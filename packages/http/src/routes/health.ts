import * as v from 'valibot';
import { errorView } from '../problem.js';
import { route } from '../route.js';

const moment = v.pipe(v.string(), v.isoTimestamp());

export const healthSchema = v.strictObject({
  state: v.pipe(
    v.picklist(['idle', 'running', 'stopping', 'stopped']),
    v.description('`idle`: it has not been started, and runs nothing.'),
  ),
  owner: v.string(),
  definitions: v.pipe(
    v.array(v.string()),
    v.description('The task definitions that this process has. Tasks of others cannot be created.'),
  ),
  running: v.number(),
  waiting: v.number(),
  settling: v.number(),
  runs: v.array(
    v.strictObject({
      id: v.string(),
      name: v.string(),
      store: v.string(),
      queue: v.string(),
      nominal: moment,
      attempt: v.number(),
      token: v.number(),
      startedAt: moment,
    }),
  ),
  stores: v.array(
    v.strictObject({
      alias: v.string(),
      name: v.string(),
      capabilities: v.pipe(
        v.strictObject({
          history: v.pipe(v.boolean(), v.description('Whether it keeps the runs of a task.')),
          latestRuns: v.pipe(
            v.boolean(),
            v.description('Whether it has the newest runs of all tasks: `/runs`.'),
          ),
        }),
        v.description('What not every store can do. Known of one that is down, too.'),
      ),
      isUp: v.boolean(),
      latencyMs: v.number(),
      clockOffsetMs: v.nullable(v.number()),
      error: v.nullable(v.strictObject({ code: v.string(), message: v.string() })),
    }),
  ),
});

export const health = route({
  method: 'GET',
  path: '/health',
  operation: 'getHealth',
  summary:
    'How the scheduler of this process and its stores are doing, and what runs in this process.',
  may: 'read',
  query: v.strictObject({}),
  answer: healthSchema,
  async handle({ scheduler }) {
    const { runs, stores, definitions, ...rest } = await scheduler.health();
    return {
      ...rest,
      definitions: [...definitions],
      runs: runs.map((run) => ({
        ...run,
        nominal: run.nominal.toISOString(),
        startedAt: run.startedAt.toISOString(),
      })),
      stores: Object.entries(stores).map(([alias, { error, capabilities, ...report }]) => ({
        alias,
        ...report,
        capabilities: {
          history: capabilities.history,
          latestRuns: capabilities.latestHistory,
        },
        error: error && errorView(error),
      })),
    };
  },
});
