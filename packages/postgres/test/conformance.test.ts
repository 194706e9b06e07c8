import { testConformance } from '@sched-tooling/adapter-tests';
import { describeOnEach } from '@sched-tooling/services';
import { createPlace } from './place.js';

await describeOnEach(['postgres', 'pgbouncer'], 'PostgresDataStore', (server) => {
  testConformance(() => {
    const { address, ...place } = createPlace(server.url);
    // PgBouncer cuts a connection off whose first message comes in pieces.
    return server.name === 'pgbouncer' || !address ? place : { ...place, address };
  }, server);
});
