import { PgBoss } from 'pg-boss';

/** @type {import('../src/contender.ts').Contender[]} */
export const contenders = [
  {
    name: 'pg-boss',
    package: 'pg-boss',
    databases: ['postgres'],
    history: 'kept',
    settings: 'batches of 500 fetched without a pause, notifications on, polls every 500 ms',
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
      const boss = new PgBoss({
        ...{ connectionString: url, useListenNotify: true },
        ...{ superviseIntervalSeconds: 1, monitorIntervalSeconds: 1 },
      });
      boss.on('error', () => {});
      await boss.start();
      await boss.createQueue('bench', { notify: true });
      const job = ({ index, at, later }) => ({
        data: { index, at },
        ...(later && { startAfter: new Date(at) }),
      });
      return {
        add: (task) => {
          const { data, ...rest } = job(task);
          return boss.send('bench', data, rest);
        },
        addMany: (tasks) => boss.insert('bench', tasks.map(job)),
        async work(ran, { quickRecovery }) {
          if (quickRecovery) await boss.updateQueue('bench', { heartbeatSeconds: 10 });
          await boss.work(
            'bench',
            {
              ...{ batchSize: 500, burstWhenBatchFull: true },
              // The least that it takes; what is not due yet is found by polls alone.
              ...{ pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 0.5 },
            },
            async (jobs) => {
              for (const { data } of jobs) await ran(data.index, data.at);
            },
          );
          return () => boss.offWork('bench');
        },
        async remaining() {
          const { rows } = await boss
            .getDb()
            .executeSql(`SELECT count(*) FROM pgboss.job WHERE state < 'completed'`);
          return Number(rows[0].count);
        },
        close: () => boss.stop({ graceful: false }),
      };
    },
  },
];
