import { dataStoreConformance } from '@sched/core/conformance';
import { MemoryDataStore } from '@sched/memory';
import { describe, test } from 'vitest';

describe('MemoryDataStore', () => {
  const cases = dataStoreConformance({
    create() {
      let store: MemoryDataStore | undefined;
      return {
        connect(options) {
          store ??= new MemoryDataStore(options);
          return store;
        },
      };
    },
  });
  for (const { name, run } of cases) test(name, run);
});
