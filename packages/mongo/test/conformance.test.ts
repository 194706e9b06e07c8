import { testConformance } from '@sched-tooling/adapter-tests';
import { describeOnEach } from '@sched-tooling/services';
import { createPlace } from './place.js';

await describeOnEach(['ferretdb', 'secantusdb', 'mongodb'], 'MongoDataStore', (server) => {
  // A hundred times slower than a server: what only a replica set shows is in replica-set.test.ts.
  const levels = server.name === 'secantusdb' ? (['concurrency'] as const) : undefined;
  testConformance(() => createPlace(server.url), server, levels);
});
