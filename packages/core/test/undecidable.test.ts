import { describe, expect, test } from 'vitest';
import { defineTask, every, type NewTaskRecord, type TriggerKind } from '../src/index.js';
import { logEvents } from './support/events.js';
import { recordStore } from './support/intercepted-store.js';
import { createSetting } from './support/setting.js';

describe('tasks that a worker can do nothing with', () => {
  test('a task without a handler waits, reported once, for a worker that has one', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const order = defineTask<object>('order');
    const ran: number[] = [];
    const client = make({ tasks: [order] });
    await client.schedule(order, { payload: { n: 1 }, id: 'o', in: '1m' });
    const [before] = await store.get(['o']);
    const recorded = recordStore(store);
    const old = make({ store: recorded.store, owner: 'old' });
    const events = logEvents(old);
    await old.start();
    await clock.advance('1m');
    expect(events.of('deferred')).toMatchObject([
      { id: 'o', name: 'order', reason: 'noHandler', error: { code: 'SCHED_TASK_UNKNOWN' } },
    ]);
    await clock.advance('1h');
    expect(events.of('deferred')).toHaveLength(1);
    // The later it is, the longer the pause, up to a minute.
    expect(recorded.count('release')).toBeLessThan(70);
    expect(recorded.count('claim')).toBeLessThan(140);
    const [after] = await store.get(['o']);
    expect(after).toMatchObject({ body: before?.body, revision: before?.revision, deliveries: 0 });

    // The rolling deploy reaches the next machine.
    const next = make({
      owner: 'new',
      tasks: [defineTask('order', { handler: () => ran.push(clock.now()) })],
    });
    await next.start();
    await clock.runUntil(() => ran.length === 1, '1m');
    expect(await next.history('o')).toMatchObject([
      { outcome: 'succeeded', attempt: 1, owner: 'new' },
    ]);
  });

  test('a task that is a little late is only put off a little', async () => {
    const { clock, scheduler: make } = createSetting();
    const ran: number[] = [];
    const old = make({ owner: 'old' });
    const next = make({
      tasks: [defineTask('order', { handler: () => ran.push(clock.elapsed()) })],
    });
    const client = make({ tasks: [defineTask('order')] });
    await client.schedule(defineTask('order'), { payload: null, in: 1000 });
    await old.start();
    await clock.advance(1500);
    await next.start();
    await clock.advance('1h');
    // Half past the second, when little else is due, and ahead of the one that cannot run it.
    expect(ran).toEqual([2500]);
  });

  test('a definition without a handler is none', async () => {
    const { clock, scheduler: make } = createSetting();
    const task = defineTask('shape');
    const worker = make({ tasks: [task] });
    const events = logEvents(worker);
    await worker.schedule(task, { id: 's' });
    await worker.start();
    await clock.advance('10m');
    expect(events.of('deferred')).toMatchObject([{ id: 's', reason: 'noHandler' }]);
    expect(await worker.get('s')).toMatchObject({ state: 'scheduled' });
  });

  test('records that cannot be read are left alone and reported once, and the rest goes on', async () => {
    const { clock, store, scheduler: make } = createSetting();
    const ran: string[] = [];
    const task = defineTask('work', { handler: ({ task: { id } }) => ran.push(id) });
    const client = make({ tasks: [task] });
    await client.schedule(task, { id: 'sample' });
    const [sample] = await store.get(['sample']);
    await client.remove('sample');
    const good = JSON.parse(sample?.body ?? '') as Record<string, unknown>;
    const bodies: Record<string, string> = {
      'unknown trigger': JSON.stringify({ ...good, trigger: { kind: 'acme/tide' } }),
      'damaged trigger': JSON.stringify({ ...good, trigger: { kind: 'at', at: 'noon' } }),
      'newer version': JSON.stringify({ ...good, v: 99 }),
      'other codec': JSON.stringify({ ...good, encoded: { codec: 'rot13', text: 'nope' } }),
      'not JSON': '{"v":1,',
      'not a body': '[1,2,3]',
      empty: '',
      'bad overlap': JSON.stringify({ ...good, policies: { overlap: null } }),
      'bad catch-up': JSON.stringify({ ...good, policies: { catchUp: 7 } }),
      'bad children': JSON.stringify({
        ...good,
        policies: { overlap: { mode: 'allow', maxRunning: 1 } },
        children: 'Max and Moritz',
      }),
    };
    const record = (id: string, body: string): NewTaskRecord => ({
      ...{ id, name: 'work', queue: 'default', group: null, status: 'scheduled', paused: false },
      ...{ runAt: clock.now(), body },
    });
    await store.insert(Object.entries(bodies).map(([id, body]) => record(id, body)));
    await client.schedule(task, { id: 'readable' });
    await client.schedule(task, { id: 'hourly', every: '1h' });

    const recorded = recordStore(store);
    const worker = make({ store: recorded.store, tasks: [task] });
    const events = logEvents(worker);
    await worker.start();
    await clock.advance('3h');
    expect(ran).toEqual(['readable', 'hourly', 'hourly', 'hourly']);
    expect(
      events
        .of('deferred')
        .map(({ id }) => id)
        .sort(),
    ).toEqual(Object.keys(bodies).sort());
    for (const { reason, error } of events.of('deferred')) {
      expect(reason).toBe('unreadable');
      expect(error.code).toMatch(/^SCHED_(RECORD_UNREADABLE|TRIGGER_UNKNOWN|T[A-Z]+_INVALID)$/);
    }
    expect(events.of('storeError')).toEqual([]);
    for (const [id, body] of Object.entries(bodies)) {
      const [stored] = await store.get([id]);
      expect(stored).toMatchObject({ body, deliveries: 0, lease: null, status: 'scheduled' });
      expect(await worker.get(id)).toMatchObject({ id });
    }
    // Once a minute, and all of them together.
    expect(recorded.count('claim')).toBeLessThan(3 * 60 * 4);
    await worker.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test('a trigger that throws holds up nothing but its own task', async () => {
    const { clock, store, scheduler: make } = createSetting();
    let isBroken = false;
    const kind: TriggerKind = {
      kind: 'acme/fragile',
      parse: () => ({
        kind: 'acme/fragile',
        type: kind,
        next(after) {
          if (isBroken) throw new Error('the tide tables are gone');
          return Math.floor(after / 60_000) * 60_000 + 60_000;
        },
        previous: (before) => Math.ceil(before / 60_000) * 60_000 - 60_000,
        toJSON: () => ({ kind: 'acme/fragile' }),
      }),
    };
    const ran: string[] = [];
    const task = defineTask('work', {
      handler: ({ task: { id } }) => {
        ran.push(id);
        if (id === 'while running' && ran.length < 4) isBroken = true;
      },
    });
    const trigger = kind.parse({ kind: 'acme/fragile' }, () => {
      throw new Error('it has no parts');
    });
    const scheduler = make({ tasks: [task], triggers: [kind, every] });
    const events = logEvents(scheduler);
    await scheduler.schedule(task, { id: 'while running', trigger });
    await scheduler.schedule(task, { id: 'replacing', trigger, overlap: 'replace' });
    await scheduler.schedule(task, { id: 'sound', every: '1m' });
    await scheduler.start();
    await clock.advance('10m');
    expect(ran.filter((id) => id === 'sound')).toHaveLength(10);
    expect(ran.filter((id) => id === 'while running').length).toBeLessThanOrEqual(2);
    expect(await store.count({})).toBe(3);
    const about = events.all.filter((event) => 'error' in event && event.type !== 'listenerError');
    expect(about.length).toBeGreaterThan(0);
    expect(events.of('storeError')).toEqual([]);
    expect((await scheduler.health()).running).toBe(0);

    isBroken = false;
    for (const id of ['while running', 'replacing']) {
      if ((await scheduler.get(id))?.state === 'failed') await scheduler.retry(id);
    }
    const before = ran.length;
    await clock.advance('10m');
    expect(ran.slice(before).filter((id) => id === 'replacing').length).toBeGreaterThan(8);
    await scheduler.stop();
  });
});

describe('a task about which nothing can be decided when it is claimed', () => {
  for (const overlap of ['skip', { mode: 'allow', maxRunning: 1 }] as const) {
    test(`is put off and reported, with overlap ${JSON.stringify(overlap)}`, async () => {
      const { clock, store, scheduler: make } = createSetting();
      let isBroken = false;
      const kind: TriggerKind = {
        kind: 'acme/forgetful',
        parse: () => ({
          kind: 'acme/forgetful',
          type: kind,
          next: (after) => Math.floor(after / 60_000) * 60_000 + 60_000,
          previous(before) {
            if (isBroken) throw new Error('who knows');
            return Math.ceil(before / 60_000) * 60_000 - 60_000;
          },
          toJSON: () => ({ kind: 'acme/forgetful' }),
        }),
      };
      const trigger = kind.parse({ kind: 'acme/forgetful' }, () => {
        throw new Error('it has no parts');
      });
      const ran: string[] = [];
      const task = defineTask('work', { handler: ({ task: { id } }) => ran.push(id), overlap });
      const scheduler = make({ tasks: [task], triggers: [kind, every] });
      const events = logEvents(scheduler);
      await scheduler.schedule(task, { id: 'f', trigger });
      await scheduler.schedule(task, { id: 'sound', every: '1m', overlap: 'skip' });
      await scheduler.start();
      await clock.advance('1m30s');
      const before = ran.filter((id) => id.startsWith('f')).length;
      const [stored] = await store.get(['f']);
      isBroken = true;
      await clock.advance('10m');
      expect(ran.filter((id) => id.startsWith('f'))).toHaveLength(before);
      expect(ran.filter((id) => id === 'sound')).toHaveLength(11);
      expect(events.of('deferred')).toMatchObject([
        { id: 'f', reason: 'unreadable', error: { code: 'SCHED_RECORD_UNREADABLE' } },
      ]);
      expect(events.of('deferred')[0]?.error.message).toContain('who knows');
      expect(events.of('storeError')).toEqual([]);
      expect(events.of('lost')).toEqual([]);
      expect((await store.get(['f']))[0]).toMatchObject({
        ...{ body: stored?.body, revision: stored?.revision, lease: null, deliveries: 0 },
      });
      isBroken = false;
      await clock.advance('3m');
      expect(ran.filter((id) => id.startsWith('f')).length).toBeGreaterThan(before);
    });
  }
});
