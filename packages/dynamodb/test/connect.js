import { DynamoDBDataStore } from '@sched/dynamodb';

/** @param {import('@sched/dynamodb').DynamoDBDataStoreOptions} options */
export default (options) => new DynamoDBDataStore(options);
