import { Logger, makeWorkerUtils, run, WorkerPreset } from 'graphile-worker';
import pg from 'pg';

const logger = new Logger(() => () => {});

/** @type {import('../src/contender.ts').Contender[]} */
export const contenders = [
  {
    name: 'graphile-worker',
    package: 'graphile-worker',
    databases: ['postgres'],
    history: 'none',
    settings: 'local queue of 500, completions batched, 24 jobs at once, polls every 100 ms',
    // Its schedules are no finer than a minute.
    workloads: [
      'add',
      'drain',
      'drain-2',
      'drain-4',
      'backlog',
      'lateness',
      'wake',
      'mixed',
      'crash',
      'idle',
    ],
    async connect({ url }) {
      const pool = new pg.Pool({ connectionString: url, max: 10 });
      // Asked for by graphile-worker, which warns of pools without.
      pool.on('error', () => {});
      pool.on('connect', (client) => client.on('error', () => {}));
      const utils = await makeWorkerUtils({ pgPool: pool, logger });
      await utils.migrate();
      const spec = ({ index, at, later }) => ({
        identifier: 'bench',
        payload: { index, at },
        ...(later && { runAt: new Date(at) }),
      });
      return {
        add: (task) => {
          const { identifier, payload, ...rest } = spec(task);
          return utils.addJob(identifier, payload, rest);
        },
        addMany: (tasks) => utils.addJobs(tasks.map(spec)),
        async work(ran) {
          const runner = await run({
            pgPool: pool,
            logger,
            noHandleSignals: true,
            taskList: { bench: ({ index, at }) => ran(index, at) },
            preset: {
              extends: [WorkerPreset],
              worker: {
                concurrentJobs: 24,
                pollInterval: 100,
                localQueue: { size: 500 },
                completeJobBatchDelay: 0,
                failJobBatchDelay: 0,
              },
            },
          });
          return () => runner.stop();
        },
        async remaining() {
          const { rows } = await pool.query('SELECT count(*) FROM graphile_worker._private_jobs');
          return Number(rows[0].count);
        },
        close: () => utils.release(),
      };
    },
  },
];
