import { testConformance } from '@sched-tooling/adapter-tests';
import { describeOnEach } from '@sched-tooling/services';
import { createPlace } from './place.js';

// A replica set notifies, has transactions, and is reached and retried in other ways. What is asked of one task after
// another is the same as on FerretDB, and takes this server, which is in Python, a quarter of an hour.
await describeOnEach(['secantusdb'], 'MongoDataStore', (server) => {
  testConformance(
    () => createPlace(server.url),
    server,
    ({ name, level, guarantee }) =>
      ['faults', 'worker'].includes(level) || guarantee === 'G5' || /transaction/.test(name),
  );
});
