import { testConformance } from '@sched-tooling/adapter-tests';
import { describeOnEach } from '@sched-tooling/services';
import { createPlace } from './place.js';

await describeOnEach(['secantusdb'], 'MongoDataStore', (server) => {
  testConformance(() => createPlace(server.url), server);
});
