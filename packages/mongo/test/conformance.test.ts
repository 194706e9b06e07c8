import { testConformance } from '@sched-tooling/adapter-tests';
import { describeOnEach } from '@sched-tooling/services';
import { createPlace } from './place.js';

// SecantusDB is too slow for the kit. What only a replica set shows is in replica-set.test.ts.
await describeOnEach(['ferretdb', 'mongodb'], 'MongoDataStore', (server) => {
  testConformance(() => createPlace(server.url), server);
});
