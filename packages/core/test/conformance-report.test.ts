import { MemoryDataStore } from '@sched/memory';
import { expect, test } from 'vitest';
import type { ConformanceResult } from '../src/conformance/index.js';
import {
  dataStoreConformance,
  passes,
  recordConformance,
  reportMarkdown,
  runConformance,
  verdict,
} from '../src/conformance/index.js';
import { Progress } from '../src/conformance/progress.js';
import { createReport } from '../src/conformance/report.js';
import { targetOf } from './broken-stores/broken-store.js';

const store = {
  name: 'toy',
  capabilities: {
    ...{ history: true, latestHistory: false, watch: false, transactions: false, processes: false },
  },
};
const versions = { core: '1.2.3', runtime: 'node 24.0.0', platform: 'linux x64' };
const passed: ConformanceResult = {
  ...{ name: 'a is b (seed 7)', level: 'contract', guarantee: 'G1', ok: true, ms: 1500.4 },
};
const failed: ConformanceResult = {
  ...{ name: 'c | d', level: 'concurrency', guarantee: 'G2', ok: false, ms: 2.6 },
  message: 'G2 one owner: c | d\nc is d',
};

test('results are counted as a whole and by level', () => {
  expect(createReport(store, versions, [passed, failed], true)).toEqual({
    store: 'toy',
    capabilities: store.capabilities,
    versions,
    complete: true,
    passed: 1,
    failed: 1,
    seconds: 1.503,
    seeds: [7],
    levels: {
      contract: { passed: 1, failed: 0, seconds: 1.5 },
      concurrency: { passed: 0, failed: 1, seconds: 0.003 },
    },
    cases: [passed, failed],
  });
});

test('a store is asked what it can do once it is open', async () => {
  class Finding extends MemoryDataStore {
    override capabilities = { ...new MemoryDataStore().capabilities };

    override async open() {
      await super.open();
      this.capabilities = { ...this.capabilities, watch: false };
    }
  }
  const { capabilities } = await recordConformance(targetOf(Finding)).report();
  expect(capabilities.watch).toBe(false);
});

test('only a report on every case says that a store passes', () => {
  const whole = createReport(store, versions, [passed], true);
  const part = createReport(store, versions, [passed], false);
  const none = createReport(store, versions, [], true);
  const broken = createReport(store, versions, [passed, failed], true);
  expect([whole, part, none, broken].map(passes)).toEqual([true, false, false, false]);
  expect([whole, part, broken].map(verdict)).toEqual([
    'toy passes the kit: 1 case in 1.5 s.',
    'toy passes 1 case in 1.5 s; others were left out.',
    'toy fails 1 of 2 cases.',
  ]);
});

test('the page for people has levels, capabilities, failures and cases', () => {
  const page = reportMarkdown(createReport(store, versions, [passed, failed], true));
  for (const part of [
    '# Conformance of toy\n\n**toy fails 1 of 2 cases.**\n\n`@sched/core` 1.2.3, node 24.0.0,',
    'with the seeds 7.',
    '| concurrency | many clients at once, and many processes | 0 | 1 | 0.0 |',
    '| `history` | yes |\n| `watch` | no |',
    '### G2 one owner: c | d\n\n```text\nG2 one owner: c | d\nc is d\n```',
    '| passed | contract | G1 | a is b (seed 7) | 1500 |\n| **failed** | concurrency | G2 | c \\| d | 3 |',
  ]) {
    expect(page).toContain(part);
  }
});

test('on a terminal progress is a counter, and a line for what fails', () => {
  let text = '';
  const progress = new Progress({
    isTTY: true,
    write: (more) => {
      text += more;
    },
  });
  progress.note(passed, 2);
  progress.note(failed, 2);
  expect(text.replaceAll('\r\u001b[K', '<')).toBe(
    '<1 of 2<FAILED G2 c | d (3 ms)\n<2 of 2, 1 failed',
  );
});

test('a recording reports on the cases that a runner has run', async () => {
  class Empty extends MemoryDataStore {
    override async insert() {
      return [];
    }
  }
  const kit = recordConformance(targetOf(Empty));
  const names = dataStoreConformance(targetOf(Empty)).map(({ name }) => name);
  expect(kit.cases.map(({ name }) => name)).toEqual(names);
  const failing = kit.cases.find(({ name }) => name.startsWith('an inserted task is stored'));
  const [first] = kit.cases;
  await first?.run();
  await expect(failing?.run()).rejects.toThrow(/^G1/);
  const report = await kit.report();
  expect(report).toMatchObject({ store: 'memory', complete: false, passed: 1, failed: 1 });
  expect(report.cases.map(({ name }) => name)).toEqual([first?.name, failing?.name]);
  expect(report.cases[1]?.message).toContain('insert answers `inserted`');
});

test('cases run at the same time, as many as asked for', async () => {
  let running = 0;
  let most = 0;
  const target = targetOf(MemoryDataStore);
  const report = await runConformance(
    {
      async create() {
        most = Math.max(most, ++running);
        const place = await target.create();
        await new Promise((resolve) => setImmediate(resolve));
        return { ...place, dispose: async () => void running-- };
      },
    },
    { levels: ['concurrency'], only: 'SEED', concurrency: 3 },
  );
  expect(most).toBe(3);
  expect(report).toMatchObject({ passed: 3, failed: 0, complete: false, seeds: [1, 2, 3] });
});
