import {
  claimAll,
  claimOne,
  expectBodyRefused,
  failure,
  hostileTexts,
  record,
  settlement,
  testHostileTexts,
} from '@sched-tooling/adapter-tests';
import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { workbench } from './support.js';

const kibibyte = 1024;
const longest = 'x'.repeat(384 * kibibyte);
const code = 'SCHED_PAYLOAD_TOO_LARGE';

await describeOn('dynamodb', 'payloads', (server) => {
  const bench = workbench(server);
  const fitting = hostileTexts.filter((text) => Buffer.byteLength(text) <= longest.length);
  testHostileTexts(() => bench.open(), [...fitting, '\0', 'a\0b', '#', 'a#1#b', longest]);

  test.each(hostileTexts.filter((text) => !fitting.includes(text)).map((text) => [text]))(
    'of a mebibyte are refused (case %#)',
    async (body) => {
      const store = await bench.open();
      const error = await failure(() => store.insert([record('a', { body })]), code);
      expect(error.message).toContain(`${Buffer.byteLength(body)} bytes`);
      expect(error.message.length).toBeLessThan(200);
    },
  );

  test('that are too long are refused, whichever call carries them', async () => {
    await expectBodyRefused(await bench.open(), `${longest}x`);
  });

  test('are as long as they may be, whatever else there is of a task', async () => {
    const store = await bench.open();
    const name = '🎉'.repeat(63);
    const id = '🎉'.repeat(75);
    const given = record(id, { name, queue: name, group: name, body: longest });
    expect(await store.insert([given])).toEqual(['inserted']);
    const { tasks } = await store.claim({ ...claimAll, queues: [name], owner: name.repeat(4) });
    const [task] = tasks;
    if (!task) throw new Error('a task was claimed');
    const history = [{ taskId: id, id: name, at: 1000, body: longest }];
    const spawn = [{ ...given, id: `${id.slice(2)}2` }];
    const next = { status: 'scheduled', runAt: 1000, body: longest } as const;
    expect(await store.settle([settlement(task, { next, history, spawn })])).toEqual(['settled']);
    expect(await store.history(id, 9)).toEqual(history);
    // Each page of DynamoDB has up to 1 MB, and each answer up to 16.
    const more = Array.from({ length: 50 }, (_, index) => ({ ...given, id: `more-${index}` }));
    await store.insert(more);
    const found = await store.get(more.map((each) => each.id));
    expect(found.every((each) => each?.body === longest)).toBe(true);
    expect(await store.count({ group: name, queue: name })).toBe(52);
    expect(await store.count({ queue: name })).toBe(52);
  });

  test('a settlement of more than a transaction takes is refused', async () => {
    const store = await bench.open();
    await store.insert([record('a')]);
    const task = await claimOne(store);
    const many = Array.from({ length: 100 }, (_, index) => record(`${index}`));
    await failure(() => store.settle([settlement(task, { spawn: many })]), code);
    const long = many.slice(0, 12).map((each) => ({ ...each, body: longest }));
    await failure(() => store.settle([settlement(task, { spawn: long })]), code);
    expect(await store.count({})).toBe(1);
    const spawn = many.slice(0, 98);
    const history = [{ taskId: 'a', id: 'run', at: 1000, body: '{}' }];
    expect(await store.settle([settlement(task, { spawn, history })])).toEqual(['settled']);
    expect(await store.count({})).toBe(99);
  });

  test.each<[string, object]>([
    ['half of a surrogate pair', { id: '\ud800' }],
    ['half of a surrogate pair', { body: '\udc00' }],
    ['half of a surrogate pair', { queue: 'a\ud800' }],
    ['an id of more bytes than a key may have', { id: 'é'.repeat(513) }],
    ['a queue of more bytes than a key may have', { queue: 'é'.repeat(513) }],
  ])('%s is refused before anything is stored (case %#)', async (_, members) => {
    const store = await bench.open();
    const insert = () => store.insert([record('a'), { ...record('b'), ...members }]);
    await failure(insert, 'SCHED_ARGUMENT_INVALID');
    expect(await store.count({})).toBe(0);
  });

  test('an empty id is an id, in its place in a listing', async () => {
    const store = await bench.open({ shards: 1 });
    const ids = ['', '\0', '\0\0', '\0a', 'a'];
    await store.insert(ids.toReversed().map((id) => record(id)));
    const listed: string[] = [];
    for (let after: string | null | undefined; after !== null; ) {
      const page = await store.list({ limit: 1, ...(after !== undefined && { after }) });
      listed.push(...page.tasks.map(({ id }) => id));
      after = page.next;
    }
    expect(listed).toEqual(ids);
    expect(await store.remove({ ids: ['', '\0'] })).toBe(2);
    expect((await store.get(ids)).map((task) => task?.id)).toEqual([
      ...[undefined, undefined],
      ...ids.slice(2),
    ]);
  });

  test('what cannot be an id is that of no task', async () => {
    const store = await bench.open();
    await store.insert([record('a')]);
    const { lease, revision } = await claimOne(store);
    const ids = ['é'.repeat(512), 'é'.repeat(600), '\ud800'];
    expect(await store.get([...ids, 'a'])).toMatchObject([...ids.map(() => undefined), {}]);
    const leases = ids.map((id) => ({ id, token: lease.token }));
    const lost = ids.map(() => 'lost');
    expect(await store.extend(leases, 1000)).toEqual(lost);
    expect(await store.release(leases)).toEqual(lost);
    const settlements = leases.map((ref) => ({ ...ref, revision, next: null }));
    const nothing = { history: [], spawn: [] };
    expect(await store.settle(settlements.map((each) => ({ ...each, ...nothing })))).toEqual(lost);
    expect(await store.update('é'.repeat(512), { name: 'edited' }, { revision })).toBe('missing');
    expect(await store.setPaused({ ids }, true)).toBe(0);
    expect(await store.remove({ ids })).toBe(0);
    expect(await store.count({})).toBe(1);
  });
});
