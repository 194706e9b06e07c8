import { MongoBackend } from '@agendajs/mongo-backend';
import { PostgresBackend } from '@agendajs/postgres-backend';
import { RedisBackend } from '@agendajs/redis-backend';
import { Agenda } from 'agenda';

const common = {
  package: 'agenda',
  history: 'none',
  settings: 'removeOnComplete, 100 jobs at once, looks every 100 ms; has no bulk call',
  share: 0.02,
};

/** @type {import('../src/contender.ts').Contender[]} */
export const contenders = [
  {
    ...common,
    name: 'agenda',
    databases: ['postgres'],
    // All but idling: fifty of them take more connections than the server has.
    workloads: [
      ...['add', 'drain', 'drain-2', 'drain-4', 'backlog'],
      ...['lateness', 'wake', 'recurring', 'mixed', 'crash'],
    ],
    connect: ({ url }) => connect(() => new PostgresBackend({ connectionString: url })),
  },
  {
    ...common,
    name: 'agenda',
    databases: ['redis'],
    connect: ({ url, name }) =>
      connect(() => new RedisBackend({ connectionString: url, keyPrefix: `${name}:` })),
  },
  {
    ...common,
    name: 'agenda',
    databases: ['ferretdb', 'mongodb'],
    connect: ({ url, name }) => {
      const address = new URL(url);
      address.pathname = name;
      address.search = 'authSource=admin&w=majority&journal=true';
      return connect(() => new MongoBackend({ address: address.href }));
    },
  },
];

/** @returns {Promise<import('../src/contender.ts').Session>} */
async function connect(backend) {
  const agenda = new Agenda({
    ...{ backend: backend(), removeOnComplete: true },
    ...{ processEvery: 100, maxConcurrency: 100, defaultConcurrency: 100 },
  });
  agenda.on('error', () => {});
  await agenda.ready;
  const add = ({ index, at, later }) =>
    later
      ? agenda.schedule(new Date(at), 'bench', { index, at })
      : agenda.now('bench', { index, at });
  return {
    add,
    addMany: (tasks) => Promise.all(tasks.map(add)),
    everySecond: async (indexes) => {
      for (const index of indexes) {
        const job = agenda.create('bench', { index, at: 0 });
        job.unique({ 'data.index': index }).repeatEvery('1 second');
        await job.save();
      }
    },
    async work(ran, { quickRecovery }) {
      agenda.define('bench', ({ attrs }) => ran(attrs.data.index, attrs.data.at || Number.NaN), {
        removeOnComplete: true,
        ...(quickRecovery && { lockLifetime: 300 }),
      });
      await agenda.start();
      return () => agenda.stop(false);
    },
    async remaining() {
      const { total } = await agenda.queryJobs({ limit: 1 });
      return total;
    },
    close: () => agenda.stop(),
  };
}
