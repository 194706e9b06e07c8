import type { ClaimRequest, ListRequest, Settlement } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import type { ConformanceTarget } from '../../src/conformance/index.js';
import type { BrokenStore } from './broken-store.js';
import { broken } from './broken-store.js';

/** A store in memory that looks at more tasks than it must. */
class LookingStore extends MemoryDataStore {
  /** Looks at all tasks that match, or at so many. */
  protected look(filter: Omit<ListRequest, 'limit'> = {}, limit = 1_000_000): Promise<unknown> {
    return super.list({ ...filter, limit });
  }
}

/** A store that looks at every task at each claim, and counts what it looks at. */
class CountedStore extends MemoryDataStore {
  looks = 0;

  override async claim(request: ClaimRequest) {
    this.looks += await this.count({});
    return super.claim(request);
  }
}

/** Places that say how much has been done for them. */
const counted: ConformanceTarget = {
  create() {
    let store: CountedStore | undefined;
    return {
      connect(options) {
        store ??= new CountedStore(options);
        return store;
      },
      work: async () => ({ looks: store?.looks ?? 0 }),
    };
  },
};

export const scaleStores: readonly BrokenStore[] = [
  {
    name: 'looks at every task at each claim, as its counters say',
    breaks: 'G7',
    because: 'of them add',
    target: counted,
  },
  broken(
    'looks at every task at each claim',
    'G7',
    'claim costs what it is about',
    class extends LookingStore {
      override async claim(request: ClaimRequest) {
        await this.look();
        return super.claim(request);
      }
    },
  ),
  broken(
    'passes over what is paused at each claim',
    'G7',
    'claim costs what it is about',
    class extends LookingStore {
      override async claim(request: ClaimRequest) {
        await this.look({ paused: true });
        return super.claim(request);
      }
    },
  ),
  broken(
    'passes over what has finished at each claim that finds something',
    'G7',
    'claim costs what it is about',
    class extends LookingStore {
      override async claim(request: ClaimRequest) {
        const result = await super.claim(request);
        if (result.tasks.length > 0) await this.look({ status: 'finished' });
        return result;
      }
    },
  ),
  broken(
    'looks for the next wake-up among all tasks',
    'G7',
    'claim that finds nothing due costs what it is about',
    class extends LookingStore {
      override async claim(request: ClaimRequest) {
        const result = await super.claim(request);
        if (result.tasks.length === 0) await this.look({ queue: 'later' });
        return result;
      }
    },
  ),
  broken(
    'searches for the tasks that it settles',
    'G7',
    'settle costs what it is about',
    class extends LookingStore {
      override async settle(settlements: readonly Settlement[]) {
        await this.look();
        return super.settle(settlements);
      }
    },
  ),
  broken(
    'searches for the tasks that it reads',
    'G7',
    'get costs what it is about',
    class extends LookingStore {
      override async get(ids: readonly string[]) {
        await this.look();
        return super.get(ids);
      }
    },
  ),
  broken(
    'makes a listing of everything for each page of it',
    'G7',
    'page of a listing costs what it is about',
    class extends LookingStore {
      override async list(request: ListRequest) {
        await this.look();
        return super.list(request);
      }
    },
  ),
  broken(
    'makes all pages of a listing up to the one that it is asked for',
    'G7',
    'a page costs what is on it',
    class extends LookingStore {
      override async list(request: ListRequest) {
        if (request.after !== undefined) await this.look({}, Number(request.after));
        return super.list(request);
      }
    },
  ),
];
