// A worker in a process of its own, on the packages as they are built. Its parent says which store, and when the runs
// that wait may end.

import { createScheduler, defineTask, PermanentError } from '@sched/core';
import { MysqlDataStore } from '@sched/mysql';
import { PostgresDataStore } from '@sched/postgres';
import { RedisDataStore } from '@sched/redis';
import { SqliteDataStore } from '@sched/sqlite';

const { kind, options, owner, queues } = JSON.parse(process.argv[2] ?? '{}');
const stores = {
  ...{ sqlite: SqliteDataStore, postgres: PostgresDataStore },
  ...{ mysql: MysqlDataStore, redis: RedisDataStore },
};
const Store = stores[kind];

let release = () => {};
const released = new Promise((resolve) => {
  release = resolve;
});
process.on('message', release);

const tasks = [
  defineTask('mail', { handler: () => {} }),
  defineTask('invoice', {
    handler() {
      throw new PermanentError('The printer is on fire');
    },
  }),
  defineTask('report', {
    async handler({ progress, log }) {
      log('Reading the ledger.');
      progress(0.4);
      await released;
      log('Done.');
    },
  }),
];
const scheduler = createScheduler({
  ...{ store: new Store(options), tasks, owner, lease: '3s' },
  ...(queues && { queues }),
});
await scheduler.start();
process.send?.('started');
