import { dataStoreConformance } from '@sched/core/conformance';
import { describeOnEach } from '@sched-tooling/services';
import { test } from 'vitest';
import { createPlace } from './place.js';

await describeOnEach(['redis', 'redis-cluster'], 'RedisDataStore', (server) => {
  const create = () => createPlace(server);
  for (const { name, run } of dataStoreConformance({ create })) test(name, run);
});
