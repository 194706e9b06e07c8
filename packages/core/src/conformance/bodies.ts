import { same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { listAll } from './pages.js';
import { again, claim, claimOne, historyEntry, read, record } from './records.js';

/** JSON texts that mean the same in different spellings, and some that a parser would change. */
const oddBodies: readonly string[] = [
  ...['{}', ' { } ', '{"a":1,"a":2}', '{"b":1,"a":2}', '{ "a" : 1 }\n', '[1.0,1e0,1.10,-0,1E+2]'],
  ...[
    '12345678901234567890',
    '1e400',
    '0.1000000000000000055511151231257827',
    'null',
    '""',
    'true',
  ],
  ...['"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', '"\\/"', '"/"', '"\u2028\u2029"', '"\\u2028"'],
  ...['"é"', '"e\u0301"', '"\\u00e9"', '"🎉"', '"\\ud83c\\udf89"', `"'; --"`, '"\\\\"', '"\u007f"'],
  ...[
    '{"__proto__":{"a":1}}',
    '{"constructor":null}',
    '{"$set":{"a.b":1}}',
    '"  a  "',
    '"%s $1 ?"',
  ],
];

/** The JSON texts that a store keeps without reading them. */
export const bodyCases: readonly CaseDefinition[] = [
  {
    name: 'a body is given back byte for byte, by whichever call it came',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      const bodies = [...oddBodies, JSON.stringify('x'.repeat(1000))];
      await store.insert(bodies.map((body, index) => record(`${index}`, { body })));
      const kept = async (id: string, body: string, call: string) =>
        same((await read(store, id)).body, body, `a body that came by ${call} is kept`);
      const listed = new Map((await listAll(store)).map((task) => [task.id, task.body]));
      for (const [index, body] of bodies.entries()) {
        await kept(`${index}`, body, 'insert');
        same(listed.get(`${index}`), body, 'list gives a body byte for byte');
        await store.insert([record('a')]);
        await store.update('a', { body }, await read(store, 'a'));
        await kept('a', body, 'update');
      }
      for (const task of await claim(store)) {
        const body = bodies[Number(task.id)] ?? task.body;
        same(task.body, body, 'claim gives a body byte for byte');
        const next = { status: 'scheduled', runAt: start + 1, body } as const;
        const spawn = [record(`spawned-${task.id}`, { body, runAt: start + 1 })];
        const history = [{ ...historyEntry(task.id, 'run-1'), body }];
        const settlement = again(task, start, { next, spawn, history });
        same(await store.settle([settlement]), ['settled'], 'a settlement takes any body');
        await kept(task.id, body, 'settle');
        await kept(`spawned-${task.id}`, body, 'spawn');
        const [entry] = await store.history(task.id, 1);
        if (entry) same(entry.body, body, 'a body in the history is kept');
      }
    },
  },
  {
    name: 'a body of 256 KiB is taken, by every call that takes one',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      const ascii = JSON.stringify('x'.repeat(256 * 1024 - 2));
      const emoji = JSON.stringify('🎉'.repeat(64 * 1024 - 1));
      same(Buffer.byteLength(ascii), 256 * 1024, 'a body of exactly 256 KiB');
      const others = [record('b', { runAt: null, status: 'finished', body: emoji })];
      await store.insert([record('a', { body: ascii }), ...others]);
      same((await read(store, 'b')).body === emoji, true, 'a body of 256 KiB is kept');
      await store.update('a', { body: emoji }, await read(store, 'a'));
      const task = await claimOne(store);
      same(task.body === emoji, true, 'an edit takes a body of 256 KiB');
      const next = { status: 'scheduled', runAt: start, body: ascii } as const;
      const spawn = [record('c', { body: ascii })];
      const history = [{ ...historyEntry('a', 'run-1'), body: emoji }];
      await store.settle([again(task, start, { next, spawn, history })]);
      const [settled, spawned] = await store.get(['a', 'c']);
      same(settled?.body === ascii, true, 'a settlement takes a body of 256 KiB');
      same(spawned?.body === ascii, true, 'a spawned task may have a body of 256 KiB');
      const [listed] = await listAll(store, { status: 'finished' });
      same(listed?.body === emoji, true, 'list gives a body of 256 KiB');
      if (!store.capabilities.history) return;
      const [entry] = await store.history('a', 9);
      same(entry?.body === emoji, true, 'an entry of the history may have a body of 256 KiB');
    },
  },
];
