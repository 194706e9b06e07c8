import { testConformance } from '@sched-tooling/adapter-tests';
import { describe } from 'vitest';
import { createPlace } from './place.js';

describe('SqliteDataStore', () => {
  testConformance(createPlace);
});
