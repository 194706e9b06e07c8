import type { ClaimedTask, DataStore, Settlement } from '../data-store.js';
import { same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import {
  again,
  claimOne,
  finish,
  historyEntry,
  leaseMs,
  leaseOf,
  read,
  record,
  sameHistory,
  untouched,
} from './records.js';

const dayMs = 24 * 3_600_000;

/** Calls that are made again because their answer was lost: at once, after other calls, and a day later. */
export const repetitionCases: readonly CaseDefinition[] = [
  {
    name: 'a settlement is known again a day later, in whatever way it ended the run',
    guarantee: 'G1',
    options: { historyMaxAgeMs: 30 * dayMs },
    async run({ openMany, clock }) {
      const [store, other] = await openMany(2);
      if (!store || !other) throw new Error('two handles were opened');
      const states = [
        { status: 'scheduled', runAt: start + 30 * dayMs, body: '{}' },
        { status: 'scheduled', runAt: start, body: '{}', paused: true },
        { status: 'finished', runAt: null, body: '{}' },
        { status: 'failed', runAt: null, body: '{}' },
      ] as const;
      const settlements: Settlement[] = [];
      for (const [index, next] of states.entries()) {
        await store.insert([record(`task-${index}`)]);
        settlements.push(withTraces(await claimOne(store), next));
      }
      await store.settle(settlements);
      for (const ms of [0, 1, leaseMs, 60_000, 3_600_000, dayMs, 8 * dayMs]) {
        clock.advance(ms);
        for (const settlement of settlements) {
          await isKnown(other, settlement, `it was applied ${ms} ms or more ago`);
        }
      }
    },
  },
  {
    name: 'a settlement is known again after what other owners did without settling, and then no more',
    guarantee: 'G1',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const first = await claimOne(store);
      await store.extend([leaseOf(first)], leaseMs * 2);
      const settlement = withTraces(first, { status: 'scheduled', runAt: start, body: '{}' });
      await store.settle([settlement]);
      const repeated = (why: string) => isKnown(store, settlement, why);
      same(await store.extend([leaseOf(first)], leaseMs), ['lost'], 'a settlement ends the lease');
      await repeated('its owner tried to extend the lease');
      same(await store.release([leaseOf(first)]), ['lost'], 'a settlement ends the lease');
      await repeated('its owner tried to give the task back');
      const second = await claimOne(store, { owner: 'bob' });
      await repeated('another has claimed the task');
      await store.extend([leaseOf(second)], leaseMs);
      await repeated('another has extended the lease');
      await store.update('a', { name: 'edited' }, await read(store, 'a'));
      same(await store.settle([again(second, start)]), ['conflict'], 'the task was edited since');
      await repeated('the settlement of another was a conflict');
      clock.advance(leaseMs);
      const third = await claimOne(store, { owner: 'carol' });
      same(await store.settle([again(second, start)]), ['lost'], 'the lease was lost');
      await repeated('the settlement of another was lost');
      await store.setPaused({ all: true }, true);
      await store.release([{ ...leaseOf(third), deferUntil: clock.now + 5 }]);
      await store.setPaused({ all: true }, false);
      await repeated('another has put the task off');
      clock.advance(5);
      same(await store.settle([again(await claimOne(store), start)]), ['settled'], 'it is settled');
      same(await store.settle([settlement]), ['lost'], 'the last settlement had another token');
    },
  },
  {
    name: 'a conflict, decided again and settled, is answered settled when either is made again',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      await store.update('a', { name: 'edited' }, task);
      const early = withTraces(task, { status: 'failed', runAt: null, body: '"early"' });
      same(await store.settle([early]), ['conflict'], 'another revision is a conflict');
      same(await store.settle([early]), ['conflict'], 'and it is one when it is made again');
      const { revision } = await read(store, 'a');
      const next = { status: 'scheduled', runAt: start, body: '"late"' } as const;
      const late = { ...withTraces(task, next), revision };
      same(await store.settle([late]), ['settled'], 'decided again, it is settled');
      await isKnown(store, late, 'it was decided again after a conflict');
      await isKnown(store, early, 'the last settlement had this very token');
    },
  },
  {
    name: 'a conflict leaves the lease of a task that is paused or has ended, and the pause',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      for (const edit of [{ name: 'edited' }, { status: 'failed', runAt: null } as const]) {
        for (const isPaused of [true, false]) {
          const id = `task-${isPaused}-${Object.keys(edit)}`;
          await store.insert([record(id)]);
          const task = await claimOne(store);
          if (isPaused) await store.setPaused({ ids: [id] }, true);
          await store.update(id, edit, task);
          const settle = () => store.settle([again(task, start + 5)]);
          const sentence = 'a conflict changes nothing, and the lease stays';
          same(await untouched(store, [id], settle, sentence), ['conflict'], 'it was edited');
          clock.advance(leaseMs * 2);
          same(await untouched(store, [id], settle, sentence), ['conflict'], 'it was edited');
          const { revision, paused } = await read(store, id);
          same(paused, isPaused, 'a conflict leaves the pause');
          const extended = await store.extend([leaseOf(task)], leaseMs);
          same(extended, [revision], 'the lease of a conflict can be extended');
          const decided = { ...finish(task), revision };
          same(await store.settle([decided]), ['settled'], 'decided again under the same lease');
        }
      }
    },
  },
  {
    name: 'an edit, a pause, a removal and an insertion that are made again change nothing',
    guarantee: 'G6',
    async run({ openMany, clock }) {
      const [store, other] = await openMany(2);
      if (!store || !other) throw new Error('two handles were opened');
      const given = record('a', { group: 'g' });
      const unchanged = async <T>(call: () => Promise<T>, answer: T, what: string) => {
        for (const ms of [0, 1, dayMs]) {
          clock.advance(ms);
          const repeated = await untouched(
            other,
            ['a'],
            call,
            `${what} that is repeated changes it`,
          );
          same(repeated, answer, `${what} that is repeated, ${ms} ms later`);
        }
      };
      await store.insert([given]);
      await unchanged(() => other.insert([given]), ['exists'], 'an insertion');
      const task = await read(store, 'a');
      const change = { name: 'edited', runAt: start + 5, body: '"edited"' };
      await store.update('a', change, task);
      await unchanged(() => other.update('a', change, task), 'conflict', 'an edit');
      await store.setPaused({ ids: ['a'] }, true);
      for (const selector of [{ ids: ['a'] }, { group: 'g' }, { all: true }] as const) {
        await unchanged(() => other.setPaused(selector, true), 0, 'a pause');
      }
      await store.setPaused({ ids: ['a'] }, false);
      for (const selector of [{ ids: ['a'] }, { group: 'g' }, { all: true }] as const) {
        await unchanged(() => other.setPaused(selector, false), 0, 'the end of a pause');
      }
      await store.remove({ ids: ['a'] });
      await unchanged(() => other.remove({ ids: ['a'] }), 0, 'a removal');
      await unchanged(() => other.update('a', change, task), 'missing', 'an edit');
    },
  },
  {
    name: 'a release that is made again changes nothing, whoever has the task since',
    guarantee: 'G3',
    async run({ openMany, clock }) {
      const [store, other] = await openMany(2);
      if (!store || !other) throw new Error('two handles were opened');
      await store.insert([record('a')]);
      const task = await claimOne(store);
      const release = { ...leaseOf(task), deferUntil: start + 5 };
      await store.release([release]);
      const repeated = async (why: string) => {
        for (const lease of [release, { ...release, deferUntil: start + 50_000 }]) {
          const call = () => other.release([lease]);
          const answer = await untouched(
            store,
            ['a'],
            call,
            `a release that is repeated changes nothing: ${why}`,
          );
          same(answer, ['lost'], `a release that is repeated is lost: ${why}`);
        }
      };
      await repeated('nothing has happened since');
      clock.advance(5);
      await repeated('the task is due again');
      const next = await claimOne(store, { owner: 'bob' });
      await repeated('another has claimed it');
      await store.settle([again(next, start)]);
      await repeated('another has settled it');
      await store.update('a', { status: 'finished', runAt: null }, await read(store, 'a'));
      await repeated('it has ended');
    },
  },
  {
    name: 'an extension that is made again ends as long after now as one that is made once',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      for (const ms of [0, 0, 1, leaseMs, 0]) {
        clock.advance(ms);
        const answer = await store.extend([leaseOf(task)], leaseMs * 2);
        same(answer, [task.revision], 'a lease can be extended any number of times');
        const { lease } = await read(store, 'a');
        same(lease?.expiresAt, clock.now + leaseMs * 2, 'a lease lasts until now + leaseMs');
      }
    },
  },
];

/** A settlement that would show if it were applied twice. */
function withTraces(task: ClaimedTask, next: Settlement['next']): Settlement {
  return finish(task, {
    next,
    history: [historyEntry(task.id, 'run-1')],
    spawn: [record(`child of ${task.id}`, { queue: 'children' })],
  });
}

async function isKnown(store: DataStore, settlement: Settlement, why: string): Promise<void> {
  const { id, spawn } = settlement;
  const children = spawn.map((task) => task.id);
  await store.remove({ ids: children });
  const settle = () => store.settle([settlement]);
  const sentence = `a settlement that is made again changes nothing: ${why}`;
  same(
    await untouched(store, [id, ...children], settle, sentence),
    ['settled'],
    `a settlement that is made again is answered \`settled\`: ${why}`,
  );
  await sameHistory(store, id, ['run-1'], 'a settlement that is made again adds no history');
}
