import { Engine, Job } from 'sidequest';

/** The handler of this process, where jobs find it. */
let handler = () => {};

export class BenchJob extends Job {
  run(index, at) {
    return handler(index, at);
  }
}

const common = {
  package: 'sidequest',
  history: 'kept',
  settings: 'in the process, 100 jobs at once, looks every 10 ms; has no bulk call',
  share: 0.02,
  // What recurs is kept in the process that declared it.
  workloads: [
    ...['add', 'drain', 'drain-2', 'drain-4', 'backlog'],
    ...['lateness', 'wake', 'mixed', 'crash', 'idle'],
  ],
};

/** @type {import('../src/contender.ts').Contender[]} */
export const contenders = [
  {
    ...common,
    name: 'sidequest',
    databases: ['postgres'],
    connect: ({ url }) => connect({ driver: '@sidequest/postgres-backend', config: url }),
  },
  {
    ...common,
    name: 'sidequest',
    databases: ['mysql', 'mariadb'],
    connect: ({ url }) => connect({ driver: '@sidequest/mysql-backend', config: url }),
  },
  {
    ...common,
    name: 'sidequest',
    databases: ['ferretdb', 'mongodb'],
    connect: ({ url, name }) => {
      const address = new URL(url);
      address.pathname = name;
      address.search = 'authSource=admin&w=majority&journal=true';
      return connect({ driver: '@sidequest/mongo-backend', config: address.href });
    },
  },
];

/** @returns {Promise<import('../src/contender.ts').Session>} */
async function connect(backend) {
  const engine = new Engine();
  const config = {
    ...{ backend, fork: false, runner: 'inline', jobPollingInterval: 10 },
    ...{ maxConcurrentJobs: 100, queueDefaults: { concurrency: 100 } },
    ...{ gracefulShutdown: false, logger: { level: 'error' } },
  };
  await engine.configure(config);
  const add = ({ index, at, later }) => {
    const job = engine.build(BenchJob);
    return (later ? job.availableAt(new Date(at)) : job).enqueue(index, at);
  };
  return {
    add,
    addMany: (tasks) => Promise.all(tasks.map(add)),
    async work(ran, { quickRecovery }) {
      handler = ran;
      await engine.start({
        ...config,
        skipMigration: true,
        ...(quickRecovery && {
          releaseStaleJobsIntervalMin: 1,
          releaseStaleJobsMaxStaleMs: 1000,
          releaseStaleJobsMaxClaimedMs: 1000,
        }),
      });
      return () => engine.close();
    },
    async remaining() {
      const { waiting, claimed, running } = await engine.getBackend().countJobs();
      return waiting + claimed + running;
    },
    close: () => engine.close(),
  };
}
