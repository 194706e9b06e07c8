import type { ClaimedTask, DataStore, Settlement } from '../data-store.js';
import { holds, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import {
  again,
  claim,
  claimOne,
  finish,
  historyEntry,
  leaseMs,
  leaseOf,
  read,
  record,
  sameHistory,
  settlement,
  untouched,
} from './records.js';

/** Settlements that are refused because of something that happened since the claim, and repeated ones. */
export const fencingCases: readonly CaseDefinition[] = [
  {
    name: 'a stale owner’s settlement is lost and changes nothing, before and after the next one',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const stale = await claimOne(store, { owner: 'alice' });
      clock.advance(leaseMs);
      const current = await claimOne(store, { owner: 'bob' });
      await isRefused(store, stale, 'lost', 'another has claimed the task since');
      await store.settle([again(current, clock.now)]);
      await isRefused(store, stale, 'lost', 'another has settled the task since');
      await claimOne(store, { owner: 'carol' });
      await isRefused(store, stale, 'lost', 'the task was settled and claimed again since');
    },
  },
  {
    name: 'a settlement without a lease, or of a task that is gone, is lost and changes nothing',
    guarantee: 'G2',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a'), record('free', { runAt: start + 1 })]);
      const free = await read(store, 'free');
      const task = await claimOne(store);
      const guess = { ...free, lease: task.lease, lapsedOwner: null };
      await isRefused(store, guess, 'lost', 'the task has no lease');
      await isRefused(store, { ...guess, lease: { ...task.lease, token: 0 } }, 'lost', 'no lease');
      await store.release([leaseOf(task)]);
      await isRefused(store, task, 'lost', 'the lease was released');
      await store.remove({ ids: ['a'] });
      await isRefused(store, task, 'lost', 'the task was removed');
    },
  },
  {
    name: 'the holder of a lease on a removed task cannot settle a later task of the same id',
    guarantee: 'G2',
    async run({ open }) {
      const store = await open();
      const holders: ClaimedTask[] = [];
      for (let round = 0; round < 5; round++) {
        await store.insert([record('a')]);
        for (const holder of holders) {
          await isRefused(store, holder, 'lost', 'the task was removed and created again');
        }
        const task = await claimOne(store);
        for (const holder of holders) {
          await isRefused(store, holder, 'lost', 'a later task of the same id was claimed');
          same(await store.extend([leaseOf(holder)], leaseMs), ['lost'], 'the old lease is lost');
          same(await store.release([leaseOf(holder)]), ['lost'], 'the old lease is lost');
        }
        holders.push(task);
        if (round % 2 === 0) await store.remove({ all: true });
        else await store.settle([finish(task, { next: null })]);
      }
    },
  },
  {
    name: 'a settlement decided before an edit is a conflict, keeps the lease and changes nothing',
    guarantee: 'G6',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      await store.update('a', { name: 'edited' }, task);
      await isRefused(store, task, 'conflict', 'the task was edited since the claim');
      await isRefused(store, task, 'conflict', 'and it still is when the call is made again');
      const { revision, lease } = await read(store, 'a');
      same(lease?.token, task.lease.token, 'a conflict leaves the lease where it was');
      same(
        await store.settle([again({ ...task, revision }, start + 10)]),
        ['settled'],
        'decided again on the edited record, under the same lease, it is settled',
      );
      const { name, runAt } = await read(store, 'a');
      same([name, runAt], ['edited', start + 10], 'neither the edit nor the outcome is lost');
    },
  },
  {
    name: 'a settlement that would remove an edited task is a conflict too',
    guarantee: 'G6',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      const task = await claimOne(store);
      await store.update('a', { runAt: start + 50 }, task);
      const settle = () => store.settle([finish(task, { next: null })]);
      same(
        await untouched(store, ['a'], settle, 'a conflict changes nothing'),
        ['conflict'],
        'another revision is a conflict, whatever the settlement would do',
      );
    },
  },
  {
    name: 'each task of a call is held to its own token and revision, and not to those of another',
    guarantee: 'G2',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      await store.insert([record('b')]);
      for (const name of ['once', 'twice']) {
        await store.update('b', { name }, await read(store, 'b'));
      }
      const [a, b] = [await claimOne(store), await claimOne(store)];
      // Both may be the same for different tasks.
      const [areTokens, areRevisions] = [
        a.lease.token !== b.lease.token,
        a.revision !== b.revision,
      ];
      const isHeld = async (
        call: () => Promise<readonly unknown[]>,
        answer: string,
        what: string,
      ) =>
        same(
          await untouched(store, ['a', 'b'], call, `a ${what} of another task changes nothing`),
          [answer, answer],
          `a ${what} of another task of the same call is another ${what}`,
        );
      for (const next of [null, { status: 'scheduled', runAt: start, body: '{}' }] as const) {
        const [ofA, ofB] = [settlement(a, next), settlement(b, next)];
        const revisions = [
          { ...ofA, revision: b.revision },
          { ...ofB, revision: a.revision },
        ];
        const tokens = [
          { ...ofA, token: b.lease.token },
          { ...ofB, token: a.lease.token },
        ];
        if (areRevisions) await isHeld(() => store.settle(revisions), 'conflict', 'revision');
        if (areTokens) await isHeld(() => store.settle(tokens), 'lost', 'token');
      }
      const leases = [
        { id: a.id, token: b.lease.token },
        { id: b.id, token: a.lease.token },
      ];
      if (!areTokens) return;
      await isHeld(() => store.extend(leases, leaseMs * 2), 'lost', 'token');
      await isHeld(() => store.release(leases), 'lost', 'token');
    },
  },
  {
    name: 'a stale token is lost before a changed revision is looked at',
    guarantee: 'G2',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const stale = await claimOne(store);
      clock.advance(leaseMs);
      const current = await claimOne(store);
      await store.update('a', { name: 'edited' }, current);
      await isRefused(store, stale, 'lost', 'another token and another revision');
    },
  },
  {
    name: 'pausing, claiming, extending and releasing are no edits and make no conflict',
    guarantee: 'G6',
    async run({ open, clock }) {
      const store = await open();
      await store.insert([record('a')]);
      const { revision } = await read(store, 'a');
      const stays = async (call: string) =>
        same((await read(store, 'a')).revision, revision, `${call} leaves the revision alone`);
      const first = await claimOne(store);
      await stays('claim');
      await store.release([leaseOf(first)]);
      await stays('release');
      const task = await claimOne(store);
      clock.advance(1);
      await store.extend([leaseOf(task)], leaseMs);
      await stays('extend');
      await store.setPaused({ ids: ['a'] }, true);
      await stays('pausing');
      await store.setPaused({ ids: ['a'] }, false);
      await stays('resuming');
      await store.insert([record('a')]);
      await stays('inserting an id that exists');
      same(await store.settle([finish(task)]), ['settled'], 'and the run can settle');
    },
  },
  {
    name: 'a settlement that is made again is answered settled and not applied twice',
    guarantee: 'G1',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      const settlement = again(await claimOne(store), start, {
        spawn: [record('child', { queue: 'other' })],
        history: [historyEntry('a', 'run-1')],
      });
      await store.settle([settlement]);
      await isRepeated(store, settlement, 'nothing has happened since');
      await store.remove({ ids: ['child'] });
      await isRepeated(store, settlement, 'what it spawned was removed');
      same(await store.count({}), 1, 'a repeated settlement spawns nothing');
      await store.update('a', { name: 'edited' }, await read(store, 'a'));
      await isRepeated(store, settlement, 'the task was edited');
      const released = await claimOne(store);
      await isRepeated(store, settlement, 'the task was claimed again');
      await store.release([leaseOf(released)]);
      await isRepeated(store, settlement, 'the task was claimed again and released');
      await store.setPaused({ ids: ['a'] }, true);
      await isRepeated(store, settlement, 'the task was paused');
      await sameHistory(store, 'a', ['run-1'], 'a repeated settlement adds nothing to the history');
    },
  },
  {
    name: 'a settlement that is made again after a later one is lost',
    guarantee: 'G2',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      const first = await claimOne(store);
      await store.settle([again(first, start)]);
      const second = await claimOne(store);
      await store.settle([again(second, start)]);
      await isRefused(store, first, 'lost', 'the last settlement had another token');
      await isRepeated(store, again(second, start), 'the last settlement had this token');
    },
  },
  {
    name: 'one settlement given twice in a call is settled once',
    guarantee: 'G2',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      const settlement = again(await claimOne(store), start + 1, {
        history: [historyEntry('a', 'run-1')],
      });
      same(
        await store.settle([settlement, settlement]),
        ['settled', 'settled'],
        'the second of two equal settlements finds that the first was applied',
      );
      await sameHistory(store, 'a', ['run-1'], 'it is applied once');
    },
  },
  {
    name: 'revisions and tokens never repeat under one id, whatever becomes of the task',
    guarantee: 'G6',
    async run({ open }) {
      const store = await open();
      const seen = new Set<number>();
      const isNew = async (call: string) => {
        const { revision } = await read(store, 'a');
        holds(!seen.has(revision), `${call} gives a revision that the id never had: ${revision}`);
        seen.add(revision);
      };
      for (let round = 0; round < 10; round++) {
        await store.insert([record('a')]);
        await isNew('insert');
        await store.update('a', {}, await read(store, 'a'));
        await isNew('update');
        await store.settle([again(await claimOne(store), start)]);
        await isNew('settle');
        const task = await claimOne(store);
        if (round % 2 === 0) await store.settle([finish(task, { next: null })]);
        else await store.remove({ ids: ['a'] });
      }
    },
  },
  {
    name: 'an edit decided on a removed task does not reach a later task of the same id',
    guarantee: 'G6',
    async run({ open }) {
      const store = await open();
      await store.insert([record('a')]);
      const old = await read(store, 'a');
      await store.remove({ ids: ['a'] });
      await store.insert([record('a')]);
      const update = () => store.update('a', { name: 'edited' }, old);
      same(
        await untouched(store, ['a'], update, 'an edit of an earlier task changes nothing'),
        'conflict',
        'the revision of a re-created task is one that the id never had before',
      );
      const [task] = await claim(store);
      if (!task) throw new Error('one task was claimed');
      const stale = { ...again(task, start), revision: old.revision };
      same(await store.settle([stale]), ['conflict'], 'nor does a settlement decided on it');
    },
  },
];

/** Requires that a settlement by this holder is refused and leaves no trace in the task, history or spawned tasks. */
async function isRefused(
  store: DataStore,
  holder: ClaimedTask,
  answer: 'lost' | 'conflict',
  why: string,
): Promise<void> {
  const settlement = again(holder, start + 777, {
    spawn: [record('never-spawned')],
    history: [historyEntry(holder.id, 'never-added')],
  });
  const ids = [holder.id, 'never-spawned'];
  const settle = () => store.settle([settlement]);
  same(
    await untouched(store, ids, settle, `a settlement that is ${answer} changes nothing: ${why}`),
    [answer],
    `a settlement is ${answer} when ${why}`,
  );
  const history = await store.history(holder.id, 10);
  same(
    history.some(({ id }) => id === 'never-added'),
    false,
    'a refused settlement adds nothing to the history',
  );
}

async function isRepeated(store: DataStore, settlement: Settlement, why: string): Promise<void> {
  const ids = [settlement.id, ...settlement.spawn.map(({ id }) => id)];
  const settle = () => store.settle([settlement]);
  same(
    await untouched(store, ids, settle, `a repeated settlement changes nothing: ${why}`),
    ['settled'],
    `a settlement that was applied is answered \`settled\` when it is made again: ${why}`,
  );
}
