import { createHash } from 'node:crypto';
import { copyTasks, type DataStore, type NewTaskRecord, type TaskRecord } from '@sched/core';
import { expect, onTestFinished, test } from 'vitest';
import { describeStores, type StoreName, type TestStore } from '../src/stores.js';

const fullCount = 100_000;

/** From where to where; and how many tasks, where a store is too slow for all of them. */
const pairs: readonly (readonly [from: StoreName, to: StoreName, count?: number])[] = [
  ['redis', 'postgres'],
  ['postgres', 'mysql'],
  ['mariadb', 'sqlite'],
  ['sqlite', 'redis cluster'],
  ['mysql', 'ferretdb', 20_000],
  ['ferretdb', 'memory', 20_000],
  ['memory', 'secantusdb', 1000],
  ['secantusdb', 'dynamodb', 500],
  ['dynamodb', 'redis', 500],
];

/** How many of them a worker holds. */
const heldCount = 7;

for (const [from, to, count = fullCount] of pairs) {
  const fewer = count < fullCount ? ` (FEWER THAN ${fullCount})` : '';
  await describeStores([from, to], 'copyTasks', (source, target) => {
    test(`takes ${count} tasks${fewer} from ${from} to ${to}, in two goes`, async () => {
      const [old, young] = [await open(source), await open(target)];
      await fill(old, count);
      await old.claim({ queues: ['held'], limit: heldCount, owner: 'worker', leaseMs: 1e9 });

      const begunAt = performance.now();
      const abort = new AbortController();
      const isEnough = ({ read }: { read: number }) => {
        if (read >= count / 5) abort.abort('enough');
      };
      const aborted = copyTasks(old, young, { signal: abort.signal, onProgress: isEnough });
      await expect(aborted).rejects.toBe('enough');
      const copiedBefore = await young.count({});
      expect(copiedBefore).toBeGreaterThan(count / 10);
      const resumedAt = performance.now();
      const result = await copyTasks(old, young);
      const endedAt = performance.now();

      const { tasks, ...numbers } = result;
      const copied = count - heldCount;
      expect(numbers).toEqual({
        ...{ isComplete: false, read: count, unchanged: copiedBefore, left: heldCount },
        ...{ inserted: copied - copiedBefore, replaced: 0, kept: 0, refused: 0, changed: 0 },
        ...{ differing: 0, total: count, cursor: null, sourceCount: count, targetCount: copied },
      });
      const leases = tasks.left.map(({ reason, owner }) => ({ reason, owner }));
      expect(leases).toEqual(Array(heldCount).fill({ reason: 'leased', owner: 'worker' }));
      expect(await digest(young)).toEqual(await digest(old));

      const rate = (tasks: number, ms: number) => `${Math.round((tasks / ms) * 1000)} tasks/s`;
      console.info(
        `copyTasks ${from} → ${to}: ${rate(copiedBefore, resumedAt - begunAt)} into nothing, ` +
          `${rate(count, endedAt - resumedAt)} with a fifth of ${count} there already`,
      );
    });
  });
}

/** A handle on a place of its own, for as long as the test takes. */
async function open(on: TestStore): Promise<DataStore> {
  const place = await on.create();
  const store = await place.connect({});
  await store.open();
  onTestFinished(async () => {
    await store.close();
    await place.dispose();
  });
  return store;
}

async function fill(store: DataStore, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1000) {
    const size = Math.min(1000, count - index);
    await store.insert(Array.from({ length: size }, (_, offset) => taskOf(index + offset)));
  }
}

/** One of many kinds: of every status, with and without a group, with text that is long or hard to store. */
function taskOf(index: number): NewTaskRecord {
  const status = (['failed', 'finished'] as const)[index % 10] ?? 'scheduled';
  const isScheduled = status === 'scheduled';
  const isHeld = isScheduled && index < heldCount + 2;
  const payload = { index, text: `'"\\ \u{1f600} é ${'$x '.repeat(index % 100)}`, __proto__: null };
  return {
    id: `task ${index} ${'ü'.repeat(index % 20)}`,
    name: `job ${index % 5}`,
    queue: isHeld ? 'held' : `q${index % 3}`,
    group: index % 4 === 0 ? null : `group ${index % 7}`,
    status,
    paused: !isHeld && index % 6 === 0,
    runAt: isScheduled ? 1e12 + index : null,
    body: JSON.stringify({ v: 1, trigger: { kind: 'every' }, nominal: 1, attempt: 1, payload }),
  };
}

/** Everything that the tasks are made of which no worker holds, in short. */
async function digest(store: DataStore): Promise<{ count: number; sha256: string }> {
  const digests: string[] = [];
  let after: string | null = null;
  do {
    const page = await store.list({ limit: 1000, ...(after !== null && { after }) });
    digests.push(...page.tasks.filter(({ lease }) => lease === null).map(digestOf));
    after = page.next;
  } while (after !== null);
  return {
    count: digests.length,
    sha256: createHash('sha256').update(digests.sort().join()).digest('hex'),
  };
}

function digestOf({ id, name, queue, group, status, paused, runAt, body }: TaskRecord): string {
  const text = JSON.stringify([id, name, queue, group, status, paused, runAt, body]);
  return createHash('sha256').update(text).digest('base64');
}
