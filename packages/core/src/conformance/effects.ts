import type { DataStore, NewTaskRecord, Settlement, TaskRecord } from '../data-store.js';
import { holds, plain, same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { listAll } from './pages.js';
import { claim, claimRequest, historyEntry, idsOf, leaseMs, read, record } from './records.js';
import { states } from './states.js';
import type { Guarantee } from './types.js';

/** A call that may change the task `a`. */
interface Effect {
  readonly call: string;
  readonly guarantee: Guarantee;
  /** What the contract says that the call does. */
  readonly says: string;
  readonly make: (store: DataStore, task: TaskRecord, token: number) => Promise<unknown>;
  /** What the call makes of a record; undefined when it leaves it alone. */
  readonly change: (task: TaskRecord, now: number) => Partial<TaskRecord> | undefined;
  /** Whether the call gives a revision that the id never had. All others leave the revision. */
  readonly isEdit?: true;
}

type Next = NonNullable<Settlement['next']>;

const effects: readonly Effect[] = [
  {
    call: 'claim',
    guarantee: 'G2',
    says: 'claim sets the lease and raises deliveries by one, and nothing else changes',
    make: (store) => claim(store, { owner: 'carol', leaseMs: 70 }),
    change(task, now) {
      if (task.wakeAt === null || task.wakeAt > now || task.queue !== 'q') return undefined;
      const lease = { token: 0, owner: 'carol', expiresAt: now + 70 };
      return { lease, deliveries: task.deliveries + 1 };
    },
  },
  ...[1, leaseMs, 50_000].map(
    (ms): Effect => ({
      call: `extend by ${ms} ms`,
      guarantee: 'G2',
      says: 'extend makes a lease last until now + leaseMs, even if that is sooner than before',
      make: (store, _, token) => store.extend([{ id: 'a', token }], ms),
      change: ({ lease }, now) =>
        lease ? { lease: { ...lease, expiresAt: now + ms } } : undefined,
    }),
  ),
  {
    call: 'release',
    guarantee: 'G3',
    says: 'release ends the lease and lowers deliveries by one, and nothing else changes',
    make: (store, _, token) => store.release([{ id: 'a', token }]),
    change: ({ lease, deliveries }) =>
      lease ? { lease: null, deliveries: deliveries - 1 } : undefined,
  },
  ...[-50, 50_000].map(
    (ms): Effect => ({
      call: `release that defers by ${ms} ms`,
      guarantee: 'G5',
      says: 'release makes an earlier runAt deferUntil, and nothing of a later one or of none',
      make: (store, _, token) => store.release([{ id: 'a', token, deferUntil: start + ms }]),
      change({ lease, deliveries, runAt }) {
        if (!lease) return undefined;
        const deferred = runAt === null ? null : Math.max(runAt, start + ms);
        return { lease: null, deliveries: deliveries - 1, runAt: deferred };
      },
    }),
  ),
  settles('for a next run', { status: 'scheduled', runAt: start + 60_000, body: '"next"' }),
  settles('as finished', { status: 'finished', runAt: null, body: '"done"' }),
  settles('as failed', { status: 'failed', runAt: null, body: '"why"' }),
  settles('for a next run, and pauses,', {
    ...{ status: 'scheduled', runAt: start, body: '"next"' },
    paused: true,
  }),
  settles('as finished, and pauses,', {
    ...{ status: 'finished', runAt: null, body: '"done"' },
    paused: true,
  }),
  {
    call: 'setPaused, to pause,',
    guarantee: 'G6',
    says: 'pausing sets a flag beside the schedule, and nothing else changes',
    make: (store) => store.setPaused({ ids: ['a'] }, true),
    change: ({ paused }) => (paused ? undefined : { paused: true }),
  },
  {
    call: 'setPaused, to resume,',
    guarantee: 'G6',
    says: 'resuming a paused task sets resumedAt to now, and nothing else changes',
    make: (store) => store.setPaused({ all: true }, false),
    change: ({ paused }, now) => (paused ? { paused: false, resumedAt: now } : undefined),
  },
  edits('body', { body: '"edited"' }),
  edits('runAt', { status: 'scheduled', runAt: start + 4 }),
  edits('name, queue and group', { name: 'renamed', queue: 'other', group: null }),
  edits('status', { status: 'failed', runAt: null }),
  edits('nothing', {}),
  leavesAlone('insert of its id', 'insert leaves an existing task alone', (store) =>
    store.insert([record('a', { body: '"another"', queue: 'other', paused: true })]),
  ),
  leavesAlone('claim from another queue', 'claim touches no task that it does not take', (store) =>
    claimRequest(store, { queues: ['nowhere'] }),
  ),
  leavesAlone('a look at it', 'what only reads changes nothing', async (store) => {
    await store.get(['a', 'a']);
    await store.list({ limit: 1, leased: true });
    await store.count({ group: 'g' });
    await store.history('a', 1);
    if (store.capabilities.latestHistory) await store.latestHistory({ limit: 1 });
    await store.now();
  }),
];

function settles(outcome: string, next: Next): Effect {
  return {
    call: `settle ${outcome}`,
    guarantee: 'G1',
    says: 'settle replaces status, runAt and body, pauses if told to, and ends the lease and the deliveries',
    make: (store, { revision }, token) =>
      store.settle([
        { id: 'a', token, revision, next, history: [historyEntry('a', 'run')], spawn: [] },
      ]),
    change: ({ lease }) => (lease ? { ...next, lease: null, deliveries: 0 } : undefined),
    isEdit: true,
  };
}

function edits(what: string, change: Partial<Omit<NewTaskRecord, 'id' | 'paused'>>): Effect {
  return {
    call: `update of ${what}`,
    guarantee: 'G6',
    says: 'an edit replaces every member that it has, and leaves the rest',
    make: (store, task) => store.update('a', change, task),
    change: () => change,
    isEdit: true,
  };
}

function leavesAlone(call: string, says: string, make: Effect['make']): Effect {
  return { call, guarantee: 'G6', says, make, change: () => undefined };
}

/** What each call changes in a record, and that it changes nothing else: in every state that a task can be in. */
export const effectCases: readonly CaseDefinition[] = effects.map((effect) => ({
  name: `${effect.call.replace(/,$/, '')} changes what it says it does, in whatever state the task is`,
  guarantee: effect.guarantee,
  async run({ open, clock }) {
    const store = await open();
    for (const [state, prepare] of Object.entries(states)) {
      clock.now = start;
      const token = (await prepare(store, clock))?.lease.token ?? 0;
      const before = await read(store, 'a');
      await effect.make(store, before, token);
      const after = await read(store, 'a');
      const sentence = `${effect.says}: when the task ${state}`;
      same(plain(after), expected(effect, before, after, clock.now, sentence), sentence);
      const [listed] = await listAll(store);
      same(plain(listed), plain(after), `list gives a task as it is stored: when it ${state}`);
      const free = (await listAll(store, { leased: false })).length;
      const isLive = after.lease !== null && clock.now < after.lease.expiresAt;
      same(free, isLive ? 0 : 1, `a lease is live or not as the record says: when it ${state}`);
      same(idsOf(await listAll(store)), ['a'], 'there is no other task');
      await store.remove({ all: true });
    }
  },
}));

function expected(
  { change, isEdit }: Effect,
  before: TaskRecord,
  after: TaskRecord,
  now: number,
  sentence: string,
): TaskRecord | undefined {
  const changes = change(before, now);
  if (!changes) return plain(before);
  let { revision } = before;
  if (isEdit) {
    holds(after.revision !== revision, `${sentence}; but the revision changes, too`);
    ({ revision } = after);
  }
  const changed = { ...before, ...changes, revision };
  const isTaken = changed.lease !== null && changed.lease.owner === 'carol';
  const lease =
    isTaken && changed.lease ? { ...changed.lease, token: tokenOf(after) } : changed.lease;
  return plain({ ...changed, lease, wakeAt: wakeAtOf({ ...changed, lease }) });
}

function tokenOf({ lease }: TaskRecord): number {
  return lease?.token ?? Number.NaN;
}

/** The derived moment, as the contract defines it. */
function wakeAtOf({ status, paused, lease, runAt }: TaskRecord): number | null {
  if (status !== 'scheduled' || paused) return null;
  return lease ? lease.expiresAt : runAt;
}
