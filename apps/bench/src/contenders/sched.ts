import { createScheduler, type DataStoreOptions, defineTask } from '@sched/core';
import type { Contender, Session } from '../contender.ts';
import type { Place } from '../database.ts';
import { databaseNamed } from '../databases/index.ts';

export const contenders: readonly Contender[] = [
  {
    name: 'sched',
    history: 'kept',
    settings: 'defaults',
    connect: (place) => connect(place, {}),
  },
  {
    name: 'sched, no history',
    history: 'none',
    settings: 'historyLimit: 0',
    workloads: ['add', 'drain', 'drain-2', 'drain-4'],
    connect: (place) => connect(place, { historyLimit: 0 }),
  },
];

interface Payload {
  readonly index: number;
  readonly at: number;
}

async function connect(place: Place, options: DataStoreOptions): Promise<Session> {
  const store = databaseNamed(place.database).store(place, options);
  await store.open();
  const task = defineTask<Payload>('bench');
  const client = createScheduler({ store, tasks: [task] });
  const declaration = ({ index, at, later }: Payload & { readonly later?: boolean }) => ({
    ...{ id: `bench-${index}`, payload: { index, at } },
    ...(later && { at }),
  });
  return {
    add: (each) => client.schedule(task, declaration(each)),
    addMany: (tasks) => client.scheduleMany(tasks.map((each) => ({ task, ...declaration(each) }))),
    everySecond: (indexes) =>
      client.scheduleMany(
        indexes.map((index) => ({
          ...{ task, id: `every-${index}`, payload: { index, at: 0 } },
          cron: '* * * * * *',
        })),
      ),
    async work(ran, { quickRecovery }) {
      const scheduler = createScheduler({
        store,
        tasks: [
          defineTask<Payload>('bench', {
            handler: ({ payload: { index, at }, nominal }) => ran(index, at || nominal.getTime()),
          }),
        ],
        ...(quickRecovery && { lease: 300 }),
      });
      await scheduler.start();
      return () => scheduler.stop();
    },
    remaining: () => client.count(),
    close: () => store.close(),
  };
}
