import { testConformance } from '@sched-tooling/adapter-tests';
import { describeOnEach } from '@sched-tooling/services';
import { createPlace } from './place.js';

await describeOnEach(['redis', 'redis-cluster'], 'RedisDataStore', (server) => {
  testConformance(() => createPlace(server), server);
});
