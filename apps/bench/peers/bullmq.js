import { createPostgresBackend, Queue, Worker } from 'bullmq';

/** @type {import('../src/contender.ts').Contender[]} */
export const contenders = [
  {
    name: 'bullmq',
    package: 'bullmq',
    databases: ['redis'],
    history: 'kept',
    settings: '100 jobs at once, the last 1,000 kept',
    workloads: ['drain'],
    connect: (place) => connect(place, { count: 1000 }),
  },
  {
    name: 'bullmq, no history',
    package: 'bullmq',
    databases: ['redis'],
    history: 'failures',
    settings: '100 jobs at once, removeOnComplete',
    connect: (place) => connect(place, true),
  },
  {
    name: 'bullmq, no history',
    package: 'bullmq',
    databases: ['postgres'],
    history: 'failures',
    settings: '100 jobs at once, removeOnComplete',
    share: 0.1,
    connect: (place) => connect(place, true, createPostgresBackend),
  },
];

/** @returns {Promise<import('../src/contender.ts').Session>} */
async function connect({ url, name }, removeOnComplete, backend) {
  const connection = backend
    ? { connectionString: url, migrate: true }
    : { url, maxRetriesPerRequest: null };
  const queue = new Queue(name, { connection, defaultJobOptions: { removeOnComplete } }, backend);
  await queue.waitUntilReady();
  const job = ({ index, at, later }) => ({
    name: 'bench',
    data: { index, at },
    opts: later ? { delay: at - Date.now() } : {},
  });
  return {
    add: (task) => {
      const { name: kind, data, opts } = job(task);
      return queue.add(kind, data, opts);
    },
    addMany: (tasks) => queue.addBulk(tasks.map(job)),
    everySecond: (indexes) =>
      Promise.all(
        indexes.map((index) =>
          queue.upsertJobScheduler(
            `every-${index}`,
            { every: 1000 },
            { name: 'bench', data: { index, at: 0 } },
          ),
        ),
      ),
    async work(ran, { quickRecovery }) {
      const worker = new Worker(
        name,
        async ({ data: { index, at }, timestamp, delay }) => ran(index, at || timestamp + delay),
        {
          ...{ connection, concurrency: 100 },
          ...(quickRecovery && { lockDuration: 300, stalledInterval: 300 }),
        },
        backend,
      );
      worker.on('error', () => {});
      await worker.waitUntilReady();
      return () => worker.close();
    },
    async remaining() {
      const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'prioritized');
      return Object.values(counts).reduce((sum, count) => sum + count, 0);
    },
    close: () => queue.close(),
  };
}
