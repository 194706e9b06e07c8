import { dataStoreConformance } from '@sched/core/conformance';
import { describeOnEach } from '@sched-tooling/services';
import { test } from 'vitest';
import { createPlace } from './place.js';

await describeOnEach(['ferretdb', 'secantusdb', 'mongodb'], 'MongoDataStore', ({ url }) => {
  const create = () => createPlace(url);
  for (const { name, run } of dataStoreConformance({ create })) test(name, run);
});
