import { testConformance } from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { createPlace } from './place.js';

await describeOn('dynamodb', 'DynamoDBDataStore', (server) => {
  testConformance(() => createPlace(server), server);
});
