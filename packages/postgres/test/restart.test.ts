import { testRestart } from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { createPlace } from './place.js';

await describeOn(
  'postgres',
  'a server that is killed',
  (server) => testRestart(server, () => createPlace(server.url)),
  { own: true },
);
