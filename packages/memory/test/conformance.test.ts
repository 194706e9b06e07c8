import { MemoryDataStore } from '@sched/memory';
import { testConformance } from '@sched-tooling/adapter-tests';
import { describe } from 'vitest';

describe('MemoryDataStore', () => {
  testConformance(() => {
    let store: MemoryDataStore | undefined;
    return {
      connect(options) {
        store ??= new MemoryDataStore(options);
        return store;
      },
    };
  });
});
