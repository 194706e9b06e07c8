import type { ClaimedTask, WakeUp } from '../data-store.js';
import { isSchedError } from '../errors.js';
import { holds, plain, present, same } from './check.js';
import type { Bench, CaseDefinition } from './harness.js';
import { start as epoch, until } from './harness.js';
import { processCase } from './processes.js';
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
  recordsOf,
  sameHistory,
  untouched,
} from './records.js';

const hourMs = 3_600_000;

/** Servers that restart, workers that are suspended, and clocks that are wrong. */
export const serverFaultCases: readonly CaseDefinition[] = [
  {
    name: 'a server that restarts has all that it acknowledged, and handles go on without reopening',
    guarantee: 'G1',
    async run(bench: Bench) {
      const { place } = bench;
      if (!place.restart) return;
      const store = await bench.open();
      await store.insert([
        record('held'),
        record('run'),
        ...recordsOf(20, 'later-', { runAt: null, status: 'finished' }),
        record('gone', { queue: 'gone' }),
      ]);
      const tasks = await claim(store, { leaseMs: hourMs });
      const held = present(
        tasks.find(({ id }) => id === 'held'),
        'claim takes what is due',
      );
      const run = present(
        tasks.find(({ id }) => id === 'run'),
        'claim takes what is due',
      );
      const gone = await claimOne(store, { queues: ['gone'] });
      same(await store.settle([finish(gone, { next: null })]), ['settled'], 'a task is removed');
      const settlement = again(run, epoch + 5, { history: [historyEntry('run', 'run-1')] });
      same(await store.settle([settlement]), ['settled'], 'a claimed task is settled');
      const heard: WakeUp[] = [];
      if (store.capabilities.watch) await store.watch((wakeUp) => heard.push(wakeUp));
      const ids = ['held', 'run', 'later-0', 'later-19'];
      const before = (await store.get(ids)).map(plain);
      await place.restart();
      const answers = async () => {
        try {
          await store.count({});
          return true;
        } catch (error) {
          if (isSchedError(error, 'SCHED_STORE_UNAVAILABLE')) return false;
          throw error;
        }
      };
      await until(answers, 'a store answers again when its server is back', bench.patience);
      same((await store.get(ids)).map(plain), before, 'every record is as it was');
      same(await store.count({}), 22, 'no task is lost');
      await sameHistory(store, 'run', ['run-1'], 'the history is as it was');
      same(await store.settle([settlement]), ['settled'], 'a repeated settlement is recognised');
      same(await store.extend([leaseOf(held)], leaseMs), [held.revision], 'a lease holds');
      await store.remove({ ids: ['held'] });
      for (const before of [held, gone]) {
        const queue = `next ${before.id}`;
        await store.insert([record(before.id, { queue })]);
        const next = await claimOne(store, { queues: [queue] });
        const { token } = before.lease;
        holds(
          next.lease.token > token,
          `tokens go on growing: ${next.lease.token}, ${token}`,
          'G2',
        );
        holds(next.revision !== before.revision, `revisions do not repeat: ${next.revision}`, 'G6');
      }
      if (!store.capabilities.watch) return;
      let inserted = 0;
      const hears = async () => {
        await store.insert([record(`new-${inserted++}`, { queue: 'later' })]);
        return heard.some(({ queue }) => queue === 'later');
      };
      await until(hears, 'a watcher hears again when the server is back', bench.patience);
    },
  },
  processCase({
    name: 'a process that is suspended past its leases changes nothing when it goes on',
    guarantee: 'G2',
    async run({ store, start, patience }) {
      await store.insert(recordsOf(3, 'task-', { runAt: 0 }));
      const child = present(start(1)[0], 'a process was started');
      const request = { queues: ['q'], limit: 3, owner: 'suspended', leaseMs: 400 };
      const { tasks } = await child.claim(request);
      same(tasks.length, 3, 'a process claims tasks that another has inserted');
      child.pause();
      // Written to it now, and done when it goes on.
      const settling = child.settle(tasks.map((task) => finish(task)));
      const extending = child.extend(tasks.map(leaseOf), hourMs);
      const releasing = child.release(tasks.map(leaseOf));
      const stale = Promise.all([settling, extending, releasing]);
      stale.catch(() => {});
      const taken: ClaimedTask[] = [];
      const isTaken = async () => {
        const heir = { ...request, owner: 'heir', leaseMs: hourMs };
        taken.push(...(await store.claim(heir)).tasks);
        return taken.length === 3;
      };
      await until(isTaken, 'tasks of a process that is suspended are claimed by another', patience);
      const ids = tasks.map(({ id }) => id);
      const goOn = () => {
        child.resume();
        return stale;
      };
      same(
        (await untouched(store, ids, goOn, 'a stale owner changes nothing')).flat(),
        Array(9).fill('lost'),
        'settle, extend and release of a process that slept past its leases are lost',
      );
      const settled = await store.settle(taken.map((task) => finish(task)));
      same(settled, Array(3).fill('settled'), 'the current owner settles');
    },
  }),
  ...[-6 * hourMs, 6 * hourMs].map((offsetMs) =>
    processCase({
      name: `a process whose clock is six hours ${offsetMs < 0 ? 'behind' : 'ahead'} shares tasks with others, where the server has a clock`,
      guarantee: 'G2',
      async run({ store, place, start }) {
        // Without a server the clock is that of the machine, on which all processes agree.
        if (!place.address) return;
        await store.insert([record('probe', { queue: 'probe', runAt: 0 })]);
        const probe = await claimOne(store, { queues: ['probe'], leaseMs: hourMs });
        // Such a store has no clock of its own, and says so: it asks for clocks that agree.
        if (probe.wakeAt !== probe.lease.expiresAt) return;
        const now = await store.now();
        await store.insert([
          ...recordsOf(2, 'due-', { runAt: 0 }),
          record('soon', { queue: 'soon', runAt: now + hourMs }),
        ]);
        const child = present(start(1, offsetMs)[0], 'a process was started');
        const request = { queues: ['q', 'soon'], limit: 9, owner: 'astray', leaseMs: hourMs };
        const own = await store.claim({ ...request, limit: 1, owner: 'here' });
        same(own.tasks.length, 1, 'a task that is due is claimed');
        const there = await child.claim(request);
        same(
          there.tasks.map(({ lapsedOwner }) => lapsedOwner),
          [null],
          'now is the clock of the store, so a live lease is live for every process, and what is not due is due for none',
        );
        holds(
          Math.abs(there.now - own.now) < hourMs,
          'the time of a claim is the clock of the store',
        );
        const task = present(there.tasks[0], 'a task was claimed');
        holds(
          Math.abs(task.lease.expiresAt - own.now - hourMs) < hourMs / 2,
          'a lease lasts from the now of the store, whatever the clock of its owner says',
        );
        same((await store.claim(request)).tasks, [], 'and is live for every other');
        same(
          await child.extend([leaseOf(task)], 2 * hourMs),
          [task.revision],
          'its owner extends it',
        );
        const { lease } = await read(store, task.id);
        holds(
          Math.abs((lease?.expiresAt ?? 0) - own.now - 2 * hourMs) < hourMs / 2,
          'an extended lease lasts from the now of the store',
        );
        same(await child.settle([finish(task)]), ['settled'], 'its owner settles it');
      },
    }),
  ),
];
