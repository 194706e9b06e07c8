import { readdir, readFile } from 'node:fs/promises';
import type { ClaimRequest, TaskSelector } from '@sched/core';
import { MemoryDataStore } from '@sched/memory';
import { describe, expect, test } from 'vitest';
import type { ConformanceCase, ConformanceTarget } from '../src/conformance/index.js';
import { dataStoreConformance, guarantees, levels } from '../src/conformance/index.js';
import { targetOf } from './broken-stores/broken-store.js';
import { ForgetfulServer, HastyServer } from './served-store/forgetful.js';
import { servedTarget } from './served-store/index.js';

const cases = dataStoreConformance(targetOf(MemoryDataStore));

test('every case has a name of its own that reads as a sentence', () => {
  const names = cases.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z][^\n]{20,}[a-z0-9)]$/);
});

test('every case belongs to a level and to a guarantee', () => {
  for (const { level, guarantee } of cases) {
    expect(Object.keys(levels)).toContain(level);
    expect(Object.keys(guarantees)).toContain(guarantee);
  }
});

const isOfWorker = (file: string) => /^(worker|recorded-outcome)/.test(file);
const isPublic = /^\.\.\/(testing\/)?index\.js$/;

test('the kit imports nothing but itself, the contract and Node', async () => {
  const directory = new URL('../src/conformance/', import.meta.url);
  const files = await readdir(directory);
  expect(files).toContain('index.ts');
  for (const file of files) {
    const source = await readFile(new URL(file, directory), 'utf8');
    for (const [, module] of source.matchAll(/(?:from|import)\s*\(?'([^']+)'/g)) {
      // The real worker is what users have of it.
      if (isOfWorker(file) && isPublic.test(module ?? '')) continue;
      expect(module, file).toMatch(/^(\.\/|\.\.\/(data-store|errors|trigger)\.js$|node:)/);
    }
  }
});

test('a case creates one place or more, and disposes of each when its handles are closed', async () => {
  let created = 0;
  const disposed: boolean[] = [];
  const target: ConformanceTarget = {
    create() {
      created++;
      let isOpen = false;
      class Store extends MemoryDataStore {
        override async open() {
          isOpen = true;
          return super.open();
        }
        override async close() {
          isOpen = false;
          return super.close();
        }
      }
      let store: Store | undefined;
      return {
        connect(options) {
          store ??= new Store(options);
          return store;
        },
        async dispose() {
          disposed.push(isOpen);
        },
      };
    },
  };
  for (const { run } of dataStoreConformance(target)) await run();
  expect(created).toBeGreaterThan(cases.length);
  expect(disposed).toEqual(Array(created).fill(false));
});

test('a failing case says what was promised, by which guarantee, and what it saw in its place', async () => {
  class Empty extends MemoryDataStore {
    override async insert() {
      return [];
    }
  }
  const [failing] = byName(dataStoreConformance(targetOf(Empty)), 'an inserted task is stored');
  const error: unknown = await failing?.run().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    message: expect.stringMatching(
      /^G1 nothing lost: an inserted task is stored as given.*\ninsert answers `inserted`.*\n {2}expected: \[ 'inserted' \]\n {2}answered: \[\]$/,
    ),
    actual: [],
    expected: ['inserted'],
    cause: expect.any(Error),
  });
});

test('a random sequence that fails is given as a script of the calls that it takes', async () => {
  class NoRelease extends MemoryDataStore {
    override async release(leases: readonly unknown[]) {
      return leases.map(() => 'lost' as const);
    }
  }
  const message = await failureOfSeed1(NoRelease);
  expect(message).toContain('release answers as the contract says: `released` for the token');
  expect(message).toContain('(seed 1)');
  const script = [...message.matchAll(/^ {2}await store\.(.*);/gm)].map(([, call]) => call ?? '');
  expect(script.length).toBeLessThanOrEqual(4);
  expect(script.at(-2)).toMatch(
    /^claim\(\{ queues: \[ '\w' \], limit: \d, leaseMs: \d+, owner: 'owner-0' \}\)$/,
  );
  expect(script.at(-1)).toMatch(/^release\(\[ \{ id: '\w', token: \d+.* \} \]\)$/);
});

test('a random sequence blames the guarantee whose sentence is broken', async () => {
  class Early extends MemoryDataStore {
    override claim(request: ClaimRequest) {
      return super.claim({ ...request, leaseMs: request.leaseMs + 1 });
    }
  }
  class Hasty extends MemoryDataStore {
    override async setPaused(selector: TaskSelector, paused: boolean) {
      const changed = await super.setPaused(selector, paused);
      return paused ? changed : changed + 1;
    }
  }
  class Mute extends MemoryDataStore {
    override async history() {
      return [];
    }
  }
  expect(await failureOfSeed1(Early)).toMatch(/^G2 one owner: .*\na lease is as it was asked for/);
  expect(await failureOfSeed1(Hasty)).toMatch(/^G6 edits are safe: .*\nsetPaused answers/);
  expect(await failureOfSeed1(Mute)).toMatch(/^G5 on time, or explained: .*\nhistory answers/);
});

describe('processes', () => {
  const processCases = (target: ConformanceTarget) =>
    byName(dataStoreConformance(target), /^(what a )?process(es)?\b|^a process /);

  test('a store that several processes share is rejected by no case', async () => {
    const shared = processCases(servedTarget());
    expect(shared).toHaveLength(9);
    for (const { run } of shared) await run();
  });

  test('a store that loses what a killed process held is rejected', async () => {
    const createServer = (file: string) => new ForgetfulServer(MemoryDataStore, file);
    const all = dataStoreConformance(servedTarget({ createServer }));
    const [failure] = await messages(byName(all, 'what a process held when it was killed'));
    expect(failure).toMatch(/^G1 .*no task is lost with the process that held it/s);
  });

  test('a store that frees the leases of a killed process at once is rejected', async () => {
    const createServer = (file: string) => new HastyServer(MemoryDataStore, file);
    const failures = await messages(processCases(servedTarget({ createServer })));
    // The second where this process was held up until the leases had run out.
    const early = /a lease holds until its end|the heir is told who vanished/;
    expect(failures).toContainEqual(expect.stringMatching(early));
  });

  test('a child that cannot start is reported with what it said', async () => {
    const target = servedTarget();
    const broken: ConformanceTarget = {
      async create() {
        const place = await target.create();
        return { ...place, process: { module: 'file:///nowhere/store.mjs', argument: null } };
      },
    };
    const [first] = byName(dataStoreConformance(broken), 'processes that work at once');
    await expect(first?.run()).rejects.toThrow(/nowhere/);
  });
});

async function failureOfSeed1(Store: typeof MemoryDataStore): Promise<string> {
  const seeded = byName(dataStoreConformance(targetOf(Store)), 'a random sequence');
  const [failure] = await messages(seeded.slice(0, 1));
  return failure ?? 'it was answered as the contract says';
}

function byName(all: readonly ConformanceCase[], name: string | RegExp): ConformanceCase[] {
  return all.filter((each) => each.name.search(name) === 0);
}

async function messages(all: readonly ConformanceCase[]): Promise<string[]> {
  const outcomes = await Promise.allSettled(all.map(({ run }) => run()));
  return outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [String(outcome.reason.message)] : [],
  );
}
