import * as v from 'valibot';
import { route } from '../route.js';
import { storeQuery } from '../schemas.js';

const moment = v.pipe(v.string(), v.isoTimestamp());
const histogram = v.strictObject({
  bounds: v.pipe(v.array(v.number()), v.description('Upper bounds in milliseconds, inclusive.')),
  counts: v.pipe(
    v.array(v.number()),
    v.description('One more than there are bounds: the last is of what took longer than all.'),
  ),
});

export const workersSchema = v.array(
  v.strictObject({
    owner: v.string(),
    host: v.nullable(v.string()),
    pid: v.nullable(v.number()),
    startedAt: moment,
    seenAt: moment,
    tasks: v.array(v.string()),
    queues: v.array(v.string()),
    concurrency: v.number(),
    running: v.number(),
    waiting: v.number(),
    settling: v.number(),
    minutes: v.array(
      v.strictObject({
        minute: moment,
        succeeded: v.number(),
        failed: v.number(),
        retried: v.number(),
        interrupted: v.number(),
        skipped: v.number(),
      }),
    ),
    lateness: histogram,
    duration: histogram,
  }),
);

export const workers = route({
  method: 'GET',
  path: '/workers',
  operation: 'listWorkers',
  summary: 'The schedulers that are at work on a store, in whatever process, as each said last.',
  may: 'read',
  query: storeQuery,
  answer: workersSchema,
  async handle({ client }) {
    const found = await client.workers();
    return found.map(({ startedAt, seenAt, minutes, lateness, duration, ...rest }) => ({
      ...rest,
      ...{ tasks: [...rest.tasks], queues: [...rest.queues] },
      ...{ startedAt: startedAt.toISOString(), seenAt: seenAt.toISOString() },
      minutes: minutes.map((each) => ({ ...each, minute: each.minute.toISOString() })),
      lateness: { bounds: [...lateness.bounds], counts: [...lateness.counts] },
      duration: { bounds: [...duration.bounds], counts: [...duration.counts] },
    }));
  },
});
