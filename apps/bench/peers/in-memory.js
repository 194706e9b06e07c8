import { Cron } from 'croner';
import cron from 'node-cron';
import { AsyncTask, SimpleIntervalJob, ToadScheduler } from 'toad-scheduler';

const common = {
  databases: ['memory'],
  history: 'none',
  workloads: ['recurring'],
};

/** @type {import('../src/contender.ts').Contender[]} */
export const contenders = [
  {
    ...common,
    name: 'croner',
    package: 'croner',
    settings: 'a job for each task',
    workloads: ['recurring', 'lateness'],
    connect: async () =>
      timers((run, { at, every }) => {
        const job = new Cron(every ? '* * * * * *' : new Date(at), () => run());
        return () => job.stop();
      }),
  },
  {
    ...common,
    name: 'node-cron',
    package: 'node-cron',
    settings: 'a job for each task',
    connect: async () =>
      timers((run) => {
        const job = cron.schedule('* * * * * *', () => run());
        return () => job.stop();
      }),
  },
  {
    ...common,
    name: 'toad-scheduler',
    package: 'toad-scheduler',
    settings: 'an interval for each task',
    connect: async () => {
      const scheduler = new ToadScheduler();
      return timers((run, { index }) => {
        const id = `bench-${index}`;
        const task = new AsyncTask(id, async () => run());
        scheduler.addSimpleIntervalJob(new SimpleIntervalJob({ seconds: 1 }, task, { id }));
        return () => scheduler.stopById(id);
      });
    },
  },
];

/**
 * They hold functions and not tasks: what is added waits for a handler.
 *
 * @returns {import('../src/contender.ts').Session}
 */
function timers(start) {
  const tasks = [];
  let handler;
  const stops = [];
  const begin = (task) => {
    stops.push(start(() => handler(task.index, task.every ? Number.NaN : task.at), task));
  };
  const add = async (task) => {
    if (handler) begin(task);
    else tasks.push(task);
  };
  const addMany = (added) => Promise.all(added.map(add));
  return {
    add,
    addMany,
    everySecond: (indexes) => addMany(indexes.map((index) => ({ index, at: 0, every: true }))),
    async work(ran) {
      handler = ran;
      for (const task of tasks.splice(0)) begin(task);
      return async () => {
        for (const stop of stops.splice(0)) stop();
      };
    },
    close: async () => {},
  };
}
