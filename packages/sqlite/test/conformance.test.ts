import { dataStoreConformance } from '@sched/core/conformance';
import { describe, test } from 'vitest';
import { createPlace } from './place.js';

describe('SqliteDataStore', () => {
  for (const { name, run } of dataStoreConformance({ create: createPlace })) test(name, run);
});
