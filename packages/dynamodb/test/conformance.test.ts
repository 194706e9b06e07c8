import { dataStoreConformance } from '@sched/core/conformance';
import { describeOn } from '@sched-tooling/services';
import { test } from 'vitest';
import { createPlace } from './place.js';

await describeOn('dynamodb', 'DynamoDBDataStore', (server) => {
  const create = () => createPlace(server);
  for (const { name, run } of dataStoreConformance({ create })) test(name, run);
});
