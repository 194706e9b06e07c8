import { describe, expect, test } from 'vitest';
import { copyTasks, type DataStore, type NewTaskRecord, type TaskRecord } from '../src/index.js';
import type { TestClock } from '../src/testing/index.js';
import {
  body,
  claimOnly,
  contents,
  createStores,
  hourMs,
  record,
  records,
  told,
} from './support/copying.js';
import { type Interceptor, interceptStore, recordStore } from './support/intercepted-store.js';

const lease = { owner: 'worker', expiresAt: expect.any(Number) };
const noLease = { owner: null, expiresAt: null };

describe('A task of the source that a worker has or had', () => {
  test('is left alone and named while its lease is live, and is copied once it is settled', async () => {
    const { clock, from, to } = await createStores([record('held')]);
    const { id, revision, lease } = await claimOnly(from);
    await from.insert(records(3));
    const before = await contents(from);
    const left = { id, in: 'from', reason: 'leased', owner: 'worker' };
    const result = await copyTasks(from, to);
    expect(result).toMatchObject({
      ...{ isComplete: false, read: 4, inserted: 3, left: 1, sourceCount: 4, targetCount: 3 },
      tasks: { left: [{ ...left, expiresAt: clock.now() + hourMs }] },
    });
    expect(await contents(from)).toEqual(before);
    expect(await to.get([id])).toEqual([undefined]);

    const next = { status: 'finished' as const, runAt: null, body: '{}' };
    await from.settle([{ id, token: lease.token, revision, next, history: [], spawn: [] }]);
    expect(await copyTasks(from, to)).toMatchObject({
      isComplete: true,
      unchanged: 3,
      inserted: 1,
    });
    expect(told(await contents(to))).toEqual(told(await contents(from)));
  });

  test('is left alone after its lease has run out, until another has claimed and settled it', async () => {
    const { clock, from, to } = await createStores([record('held')]);
    await claimOnly(from, 'worker', 1000);
    await clock.advance(999);
    expect((await copyTasks(from, to)).tasks.left).toMatchObject([{ reason: 'leased' }]);
    await clock.advance(1);
    const lapsed = { id: 'held', in: 'from', reason: 'lapsed', ...lease };
    expect((await copyTasks(from, to)).tasks.left).toEqual([lapsed]);
    expect(await to.count({})).toBe(0);
  });

  test('is left alone also when its next worker gave it back unstarted', async () => {
    const { clock, from, to } = await createStores([record('held')]);
    await claimOnly(from, 'the first', 1000);
    await clock.advance(1000);
    const second = await claimOnly(from, 'the second');
    await from.release([{ id: 'held', token: second.lease.token }]);
    const unsettled = { id: 'held', in: 'from', reason: 'unsettled', ...noLease };
    expect((await copyTasks(from, to)).tasks.left).toEqual([unsettled]);
    expect(await to.count({})).toBe(0);
  });

  test('is copied when it was claimed and given back unstarted', async () => {
    const { from, to } = await createStores([record('held')]);
    const { id, lease } = await claimOnly(from);
    await from.release([{ id, token: lease.token, deferUntil: 4e12 }]);
    expect(await copyTasks(from, to)).toMatchObject({ isComplete: true, inserted: 1 });
    expect((await to.get([id]))[0]).toMatchObject({ runAt: 4e12, deliveries: 0, lease: null });
  });

  test('is left alone while it remembers a token of that store', async () => {
    const cancelled = record('cancelled', { body: body({ cancelToken: 7 }) });
    const { from, to } = await createStores([
      cancelled,
      record('named so', { body: body({ payload: { '"cancelToken"': 1, cancelToken: 1 } }) }),
    ]);
    const { inserted, tasks } = await copyTasks(from, to);
    const unsettled = { id: 'cancelled', in: 'from', reason: 'unsettled', ...noLease };
    expect([inserted, tasks.left]).toEqual([1, [unsettled]]);
  });
});

describe('A task of the source that was resumed', () => {
  const once = { kind: 'at', at: 1000 };
  test.each<[string, boolean, Partial<NewTaskRecord>]>([
    ['and recurs and is due', false, {}],
    ['and was put off since', false, { runAt: 4e12 }],
    ['and whose body cannot be read here', false, { body: '{"v":99}' }],
    ['and whose body has no occurrence', false, { body: body({ nominal: null }) }],
    ['and whose occurrence comes later', true, { runAt: 4e12, body: body({ nominal: 4e12 }) }],
    ['and runs once', true, { body: body({ trigger: once }) }],
    ['and is being tried again', true, { body: body({ attempt: 2 }) }],
    ['and was queued to run', true, { body: body({ backlogUntil: 1000 }) }],
    ['and has another queued before', false, { body: body({ backlogUntil: 999 }) }],
    ['and has failed', true, { status: 'failed', runAt: null, body: body({ nominal: null }) }],
    ['whose body cannot be read, and comes later', true, { runAt: 4e12, body: '{"v":99}' }],
  ])('%s: copied %s', async (_, isCopied, members) => {
    const { from, to } = await createStores([record('a', { ...members, paused: true })]);
    await from.setPaused({ ids: ['a'] }, false);
    const { inserted, tasks } = await copyTasks(from, to);
    expect(inserted).toBe(isCopied ? 1 : 0);
    const resumed = { id: 'a', in: 'from', reason: 'resumed', ...noLease };
    expect(tasks.left).toEqual(isCopied ? [] : [resumed]);
  });

  test('is copied when it is paused again', async () => {
    const { from, to } = await createStores([record('a', { paused: true })]);
    await from.setPaused({ ids: ['a'] }, false);
    await from.setPaused({ ids: ['a'] }, true);
    expect(await copyTasks(from, to)).toMatchObject({ isComplete: true, inserted: 1 });
  });
});

describe('A task of the target that is to be replaced', () => {
  const other = { name: 'other', body: '"theirs"' };

  async function replacing(task: NewTaskRecord, stored: NewTaskRecord) {
    const stores = await createStores([task]);
    await stores.to.insert([stored]);
    const target = recordStore(stores.to);
    const copy = () => copyTasks(stores.from, target.store, { onConflict: 'replace' });
    return { ...stores, target, copy };
  }

  test.each<[string, Partial<NewTaskRecord>, Partial<NewTaskRecord>, string[]]>([
    ['in everything', { group: 'g', queue: 'x', status: 'failed', runAt: null }, {}, ['update']],
    ['and paused', { paused: true }, {}, ['setPaused', 'update']],
    [
      'and not paused',
      { runAt: 4e12, body: body({ nominal: 4e12 }) },
      { paused: true },
      ['update', 'setPaused'],
    ],
    ['and stays paused', { paused: true }, { paused: true }, ['update']],
  ])('becomes the other one %s', async (_, members, storedMembers, writes) => {
    const { from, to, target, copy } = await replacing(
      record('a', members),
      record('a', { ...other, ...storedMembers }),
    );
    expect(await copy()).toMatchObject({ isComplete: true, replaced: 1, left: 0 });
    expect(told(await contents(to))).toEqual(told(await contents(from)));
    const made = target.calls.map(({ call }) => call);
    expect(made.filter((call) => call === 'update' || call === 'setPaused')).toEqual(writes);
  });

  test('is left alone and named while a worker has it', async () => {
    const { clock, to, copy } = await replacing(record('a'), record('a', other));
    const { lease, revision } = await claimOnly(to, 'theirs', 1000);
    const before = await contents(to);
    const left = { id: 'a', in: 'to', owner: 'theirs', expiresAt: lease.expiresAt };
    const result = await copy();
    expect(result).toMatchObject({ isComplete: false, left: 1, replaced: 0 });
    expect(result.tasks.left).toEqual([{ ...left, reason: 'leased' }]);
    await clock.advance(1000);
    expect((await copy()).tasks.left).toEqual([{ ...left, reason: 'lapsed' }]);
    expect(await contents(to)).toEqual(before);

    const next = { status: 'scheduled' as const, runAt: 1, body: '' };
    const { token } = lease;
    await to.settle([{ id: 'a', token, revision, next, history: [], spawn: [] }]);
    expect(await copy()).toMatchObject({ isComplete: true, replaced: 1 });
  });

  test('is left alone where what is due would count as paused over', async () => {
    const due = await replacing(record('a'), record('a', { ...other, paused: true }));
    const resumed = { id: 'a', in: 'to', reason: 'resumed', ...noLease };
    expect((await due.copy()).tasks.left).toEqual([resumed]);
    await due.to.setPaused({ ids: ['a'] }, false);
    expect((await due.copy()).tasks.left).toEqual([resumed]);
    expect(told(await contents(due.to))).toEqual([record('a', other)]);
  });

  /** Does something to the target once, just before or just after the copy makes a call there. */
  async function meanwhile(
    call: string,
    when: 'before' | 'after',
    work: (to: DataStore) => unknown,
  ) {
    const { from, to } = await replacing(record('a'), record('a', other));
    let isDone = false;
    const intercept: Interceptor = async (made, proceed) => {
      const isNow = made === call && !isDone;
      if (isNow) isDone = true;
      if (isNow && when === 'before') await work(to);
      const answer = await proceed();
      if (isNow && when === 'after') await work(to);
      return answer;
    };
    const result = await copyTasks(from, interceptStore(to, intercept), { onConflict: 'replace' });
    expect(isDone).toBe(true);
    return { to, result };
  }

  const edit = async (to: DataStore) => {
    const [task] = await to.get(['a']);
    await to.update('a', { body: '"edited"' }, { revision: task?.revision ?? 0 });
  };

  test('is replaced also when it is edited or removed meanwhile', async () => {
    for (const work of [edit, (to: DataStore) => to.remove({ ids: ['a'] })]) {
      for (const [call, when] of [
        ['update', 'before'],
        ['update', 'after'],
        ['now', 'after'],
      ] as const) {
        const { to, result } = await meanwhile(call === 'now' ? 'get' : call, when, work);
        expect(result).toMatchObject({ isComplete: true, replaced: 1 });
        expect(told(await contents(to))).toEqual([record('a')]);
      }
    }
  });

  test('stays paused until it is the other one', async () => {
    const later = record('a', { runAt: 4e12, body: body({ nominal: 4e12 }) });
    const { from, to, target } = await replacing(later, record('a', { ...other, paused: true }));
    let edits = 0;
    const contended = interceptStore(target.store, async (call, proceed) => {
      if (call === 'update' && edits++ === 0) await edit(to);
      return proceed();
    });
    expect((await copyTasks(from, contended, { onConflict: 'replace' })).replaced).toBe(1);
    const writes = target.calls.map(({ call, answer }) => [call, answer]);
    expect(writes.filter(([call]) => call === 'update' || call === 'setPaused')).toEqual([
      ['update', 'conflict'],
      ['update', 'updated'],
      ['setPaused', 1],
    ]);
  });

  test('is left alone when it is claimed meanwhile', async () => {
    const { to, result } = await meanwhile('get', 'after', edit);
    expect(result.replaced).toBe(1);
    const claimed = await meanwhile('insert', 'after', (store) => claimOnly(store));
    expect(claimed.result.tasks.left).toMatchObject([{ in: 'to', reason: 'leased' }]);
    expect(told(await contents(claimed.to))).toEqual([record('a', other)]);
    expect(told(await contents(to))).toEqual([record('a')]);
  });

  test('is given up when others go on changing it', async () => {
    const { from, to } = await replacing(record('a'), record('a', other));
    const busy = interceptStore(to, async (call, proceed) => {
      if (call === 'update') await edit(to);
      return proceed();
    });
    const result = await copyTasks(from, busy, { onConflict: 'replace' });
    expect(result).toMatchObject({ isComplete: false, differing: 1, replaced: 0 });
    expect(result.tasks.differing).toEqual([{ id: 'a', members: ['name', 'body'] }]);
  });
});

describe('A task of the source to which something happens while it is copied', () => {
  const changes: [string, (from: DataStore, clock: TestClock) => Promise<unknown>][] = [
    [
      'paused and resumed',
      async (from) => {
        await from.setPaused({ ids: ['a'] }, true);
        await from.setPaused({ ids: ['a'] }, false);
      },
    ],
    [
      'lost by one worker and given back by another',
      async (from, clock) => {
        await claimOnly(from, 'the first', 1);
        await clock.advance(1);
        const { lease } = await claimOnly(from, 'the second');
        await from.release([{ id: 'a', token: lease.token }]);
      },
    ],
    ['claimed', (from) => claimOnly(from)],
    ['paused', (from) => from.setPaused({ ids: ['a'] }, true)],
    ['removed', (from) => from.remove({ ids: ['a'] })],
    [
      'edited',
      async (from) => {
        const [task] = await from.get(['a']);
        await from.update('a', { body: 'edited' }, { revision: task?.revision ?? 0 });
      },
    ],
    [
      'claimed and put off',
      async (from) => {
        const { lease } = await claimOnly(from);
        await from.release([{ id: 'a', token: lease.token, deferUntil: 4e12 }]);
      },
    ],
  ];

  test.each(changes)('%s: is not copied, and is named', async (_, change) => {
    const { clock, from, to } = await createStores([record('a')]);
    const target = interceptStore(to, async (call, proceed) => {
      if (call === 'insert') await change(from, clock);
      return proceed();
    });
    const result = await copyTasks(from, target);
    expect(result).toMatchObject({ isComplete: false, changed: 1, inserted: 0, differing: 0 });
    expect(result.tasks.changed).toEqual(['a']);
    expect(await contents(to)).toEqual([]);
  });

  test('is not taken from a target that had it before', async () => {
    const { from, to } = await createStores([record('a')]);
    await to.insert([record('a', { body: 'before' })]);
    const target = interceptStore(to, async (call, proceed) => {
      if (call === 'insert') await from.remove({ ids: ['a'] });
      return proceed();
    });
    expect(await copyTasks(from, target)).toMatchObject({ changed: 1, targetCount: 1 });
  });

  test('is noticed also when it was added behind or removed before the page', async () => {
    const { from, to } = await createStores(records(50));
    const target = interceptStore(to, async (call, proceed) => {
      if (call === 'insert') await from.remove({ ids: ['task 0'] });
      return proceed();
    });
    expect((await copyTasks(from, to)).isComplete).toBe(true);
    const gone = await copyTasks(from, target);
    expect(gone).toMatchObject({ isComplete: false, read: 50, changed: 1, sourceCount: 49 });
    const added = await copyTasks(from, to, {
      onProgress: ({ cursor }) => {
        if (cursor === null) void from.insert([record('late')]);
      },
    });
    expect(added).toMatchObject({ isComplete: false, read: 49, sourceCount: 50 });
  });
});

describe('A target that does not keep what it is given', () => {
  /** Shows tasks otherwise than they were stored. */
  const showing = (to: DataStore, show: (task: TaskRecord) => TaskRecord | undefined) =>
    interceptStore(to, async (call, proceed) => {
      const answer = await proceed();
      if (call !== 'get') return answer;
      return (answer as (TaskRecord | undefined)[]).map((task) => task && show(task));
    });

  test.each<[string, (task: TaskRecord) => TaskRecord | undefined, string[]]>([
    ['the body', (task) => ({ ...task, body: `${task.body} ` }), ['body']],
    ['the group and the time', (task) => ({ ...task, group: '', runAt: 999 }), ['group', 'runAt']],
    ['whether it is paused', (task) => ({ ...task, paused: !task.paused }), ['paused']],
    ['the task', () => undefined, ['id']],
  ])('is found out: %s', async (_, show, members) => {
    const { from, to } = await createStores(records(3));
    const target = showing(to, (task) => (task.id === 'task 1' ? show(task) : task));
    const result = await copyTasks(from, target);
    expect(result).toMatchObject({ isComplete: false, inserted: 2, differing: 1 });
    expect(result.tasks.differing).toEqual([{ id: 'task 1', members }]);
  });

  test('is found out when it is to replace tasks', async () => {
    const { from, to } = await createStores([record('a')]);
    await to.insert([record('a', { body: '' })]);
    const target = showing(to, (task) => ({ ...task, body: task.body.toUpperCase() }));
    const result = await copyTasks(from, target, { onConflict: 'replace' });
    expect(result).toMatchObject({ isComplete: false, replaced: 0, differing: 1 });
  });

  test('is found out by the count when tasks are gone after they were read back', async () => {
    const { from, to } = await createStores(records(100));
    const onProgress = ({ cursor }: { cursor: string | null }) => {
      if (cursor === null) void to.remove({ ids: ['task 7', 'task 70'] });
    };
    expect(await copyTasks(from, to, { onProgress })).toMatchObject({
      ...{ isComplete: false, inserted: 100, differing: 0, sourceCount: 100, targetCount: 98 },
    });
  });
});
