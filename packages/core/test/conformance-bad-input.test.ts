import { MemoryDataStore } from '@sched/memory';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ConformancePlace, ConformanceTarget } from '../src/conformance/index.js';
import { dataStoreConformance } from '../src/conformance/index.js';
import { targetOf } from './broken-stores/broken-store.js';
import { servedTarget } from './served-store/index.js';

const never = () => new Promise<never>(() => {});

/** What the first case whose name begins so says of a target that it gives up soon. */
async function complaint(target: ConformanceTarget, name: string): Promise<string> {
  const limitMs = target.limitMs ?? 50;
  const found = dataStoreConformance({ ...target, limitMs }).find((each) =>
    each.name.startsWith(name),
  );
  const error: unknown = await found?.run().catch((thrown: unknown) => thrown);
  return error instanceof Error ? error.message : 'nothing';
}

const insertion = 'an inserted task is stored as given';

/** Processes, servers and connections that are there. The test runner has none but what it had before. */
const resources = () =>
  process
    .getActiveResourcesInfo()
    .filter((name) => /^(Process|TCP)/.test(name))
    .sort();

let before: string[];
beforeEach(() => {
  before = resources();
});
afterEach(async () => {
  // A handle is gone a turn after it is closed.
  await expect.poll(resources).toEqual(before);
});

describe('a place that', () => {
  const targets: Record<string, [ConformanceTarget['create'], string]> = {
    'cannot be made': [
      () => {
        throw new Error('no such server');
      },
      'no such server',
    ],
    'is refused with a text': [() => Promise.reject('no'), "'no'"],
    'is never made': [never, 'waited 50 ms for `create` to make a place'],
    'is nothing': [
      () => undefined as unknown as ConformancePlace,
      '`create` answers with a place, and not with undefined',
    ],
  };
  test.each(Object.entries(targets))('%s', async (_, [create, why]) => {
    const said = await complaint({ create }, insertion);
    expect(said).toMatch(/^an inserted task .*\nthe place cannot be made: [^\n]+$/);
    expect(said).toContain(why);
  });

  test('is made too late is disposed of', async () => {
    let isDisposed = false;
    const { promise, resolve } = Promise.withResolvers<ConformancePlace>();
    await complaint({ create: () => promise }, insertion);
    resolve({
      connect: (options) => new MemoryDataStore(options),
      async dispose() {
        isDisposed = true;
      },
    });
    await expect.poll(() => isDisposed).toBe(true);
  });

  test.each([
    ['makes no store', () => undefined as unknown as MemoryDataStore, 'and not with undefined'],
    ['never makes one', never, 'waited 50 ms for `connect` to make a handle'],
  ])('%s', async (_, connect, why) => {
    const said = await complaint({ create: () => ({ connect }) }, insertion);
    expect(said).toMatch(/^G1 nothing lost: an inserted task .*\n[^\n]+$/);
    expect(said).toContain(why);
  });

  test('cannot be disposed of', async () => {
    const target = (dispose: () => Promise<void>): ConformanceTarget => ({
      create: async () => ({ ...(await targetOf(MemoryDataStore).create()), dispose }),
    });
    const said = [
      await complaint(target(never), insertion),
      await complaint(
        target(async () => Promise.reject(new Error('it is in use'))),
        insertion,
      ),
    ];
    expect(said).toEqual([
      expect.stringMatching(
        /\nthe place cannot be disposed of: waited 50 ms for `dispose` to remove the place$/,
      ),
      expect.stringMatching(/\nthe place cannot be disposed of: it is in use$/),
    ]);
  });
});

describe('a store that', () => {
  const stores: Record<string, [typeof MemoryDataStore, string]> = {
    'hangs in open': [
      class extends MemoryDataStore {
        override open = never;
      },
      'waited 50 ms for open to answer',
    ],
    'hangs in a call': [
      class extends MemoryDataStore {
        override get = never;
      },
      'waited 50 ms for get to answer',
    ],
    'hangs in close as well': [
      class extends MemoryDataStore {
        override insert = never;
        override close = never;
      },
      'waited 50 ms for insert to answer',
    ],
    'answers undefined': [
      class extends MemoryDataStore {
        override get = async () => undefined as unknown as [];
      },
      'get answers with a list, and not with undefined',
    ],
    'answers with a text': [
      class extends MemoryDataStore {
        override insert = async () => 'one' as unknown as [];
      },
      "insert answers with a list, and not with 'one'",
    ],
    'throws strings': [
      class extends MemoryDataStore {
        override insert = () => Promise.reject('out of order');
      },
      "insert fails with an error, and not with 'out of order'",
    ],
    'throws nothing': [
      class extends MemoryDataStore {
        override insert = () => Promise.reject();
      },
      'insert fails with an error, and not with undefined',
    ],
    'fails to open': [
      class extends MemoryDataStore {
        override open = () => Promise.reject(new Error('no such schema'));
      },
      'no such schema',
    ],
  };
  test.each(Object.entries(stores))('%s', async (_, [Store, why]) => {
    const said = await complaint(targetOf(Store), insertion);
    expect(said).toMatch(/^G1 nothing lost: an inserted task .*\n[^\n]+$/);
    expect(said).toContain(why);
  });

  test('hangs in close is named after a case that it passes', async () => {
    class Store extends MemoryDataStore {
      override close = never;
    }
    expect(await complaint(targetOf(Store), insertion)).toMatch(
      /\nthe place cannot be disposed of: waited 50 ms for close to answer$/,
    );
  });

  test('is asked for nothing more by a case that has given it up', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const calls: string[] = [];
    class Store extends MemoryDataStore {
      override async insert() {
        await promise;
        return ['inserted' as const];
      }
      override async get() {
        calls.push('get');
        return [];
      }
    }
    await complaint(targetOf(Store), insertion);
    resolve();
    await new Promise((turn) => setImmediate(turn));
    expect(calls).toEqual([]);
  });
});

describe('a child of the kit', () => {
  const working = 'processes that work at once';
  /** A place that children reach by a module of this text. */
  const reachedBy = (source: string, limitMs: number): ConformanceTarget => ({
    limitMs,
    async create() {
      const module = `data:text/javascript,${encodeURIComponent(source)}`;
      return { ...(await servedTarget().create()), process: { module, argument: null } };
    },
  });

  // Long enough for a process to start.
  const limitMs = 3000;
  const silent = 'setInterval(() => {}, 1000); await new Promise(() => {});';
  const modules: Record<string, [string, number, RegExp]> = {
    'whose module has no function': [
      'export const connect = 1;',
      60_000,
      /a process that was to open its store ended .*connect is not a function/s,
    ],
    'whose module throws': [
      "throw new Error('no driver');",
      60_000,
      /a process that was to load data:.* ended without an answer:.*no driver/s,
    ],
    'whose module never loads': [
      silent,
      limitMs,
      /waited 3 seconds for a process to load data:text/,
    ],
    'whose store never opens': [
      `export default () => ({ async open() { ${silent} } });`,
      limitMs,
      /waited 3 seconds for a process to open its store/,
    ],
    'whose store never answers': [
      `export default () => ({ async open() {}, async claim() { ${silent} } });`,
      limitMs,
      /waited 3 seconds for a process to work/,
    ],
  };
  test.each(Object.entries(modules))('%s', async (_, [source, limit, why]) => {
    expect(await complaint(reachedBy(source, limit), working)).toMatch(why);
  });
});
