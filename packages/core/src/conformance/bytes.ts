import type { DataStore } from '../data-store.js';
import { same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { listAll } from './pages.js';
import {
  again,
  claim,
  claimOne,
  claimRequest,
  historyEntry,
  idsOf,
  leaseMs,
  leaseOf,
  read,
  record,
} from './records.js';

/** Texts that some database, driver, protocol or language mistakes for others. */
const oddTexts: readonly string[] = [
  ...['a', 'A', 'á', 'a\u0301', 'Á', 'a ', ' a', 'a  ', 'a\u00a0', 'ß', 'ss', 'ı', 'i', 'İ'],
  ...["'", '"', '`', "''", "'; DROP TABLE tasks; --", '\\', '\\0', "\\'", '%', '_', '%s', '$1'],
  ...['?', ':id', '@id', '*', '[a]', '{a}', '{}', 'a:b', 'a/b', '../a', 'a#b', 'a.b', 'a,b', '$'],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'null', 'undefined', 'NaN', 'true'],
  ...[
    '0',
    '00',
    '-0',
    '1',
    '1.0',
    '1e3',
    '0x10',
    '9007199254740993',
    '🎉',
    '👩‍👩‍👧',
    '\u200b',
    '日本',
  ],
  ...['\u2028', '\ufeff', '\uffff', 'ﬀ', 'ff', '²', '2', 'Å', '\u212b'],
];

const longTexts: readonly string[] = [
  ...['x'.repeat(255), 'X'.repeat(255), `${'x'.repeat(254)}y`, `${'é'.repeat(127)}z`],
  ...['🎉'.repeat(63), `${'x'.repeat(254)} `],
];

const longIds: readonly string[] = [
  ...[...longTexts, 'x'.repeat(300), `${'x'.repeat(299)}y`, '🎉'.repeat(75), 'é'.repeat(150)],
  ...[`${'x'.repeat(299)} `, `${'x'.repeat(299)}X`],
];

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

const farMoments: readonly number[] = [
  -8.64e15,
  -62_135_596_800_000,
  -1,
  0,
  1,
  2 ** 32,
  start,
  2 ** 31 * 1000,
  8.64e15,
];

/** What a store must return exactly as given. */
export const bytesCases: readonly CaseDefinition[] = [
  {
    name: 'ids are compared byte by byte: near twins are tasks of their own in every call',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      await everyCallTellsApart(store, oddTexts);
    },
  },
  {
    name: 'ids of up to 300 bytes are kept whole and told apart by their last byte',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      await everyCallTellsApart(store, longIds);
    },
  },
  {
    name: 'queues of up to 255 bytes are compared byte by byte',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      const queues = [...oddTexts, ...longTexts];
      await store.insert(queues.map((queue, index) => record(`${index}`, { queue })));
      for (const [index, queue] of queues.entries()) {
        same(await store.count({ queue }), 1, `the queue ${show(queue)} holds one task`);
        const { tasks } = await claimRequest(store, { queues: [queue] });
        same(idsOf(tasks), [`${index}`], `a claim from ${show(queue)} takes its task alone`);
        same(tasks[0]?.queue, queue, 'a queue is given back byte for byte');
      }
    },
  },
  {
    name: 'names, groups and owners of up to 255 bytes are kept and compared byte by byte',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      const texts = [...oddTexts, ...longTexts];
      const records = texts.map((text, index) => record(`${index}`, { name: text, group: text }));
      await store.insert(records);
      for (const [index, text] of texts.entries()) {
        const of = `${show(text)} is one task’s`;
        for (const filter of [{ name: text }, { group: text }]) {
          same(
            idsOf(await listAll(store, filter)),
            [`${index}`],
            `the ${Object.keys(filter)} ${of}`,
          );
        }
        same(await store.setPaused({ group: text }, true), 1, `the group ${of}`);
        same(await store.setPaused({ group: text }, false), 1, `the group ${of}`);
        const { name, group } = await read(store, `${index}`);
        same([name, group], [text, text], 'names and groups are given back byte for byte');
      }
      for (const text of texts) {
        const task = await claimOne(store, { owner: text });
        same(task.lease.owner, text, 'an owner is given back byte for byte');
        same(await store.remove({ group: text }), 1, `the group ${show(text)} is one task’s`);
        if (task.group !== text) await store.release([leaseOf(task)]);
      }
    },
  },
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
      await store.settle([again(task, start, { next, spawn })]);
      const [settled, spawned] = await store.get(['a', 'c']);
      same(settled?.body === ascii, true, 'a settlement takes a body of 256 KiB');
      same(spawned?.body === ascii, true, 'a spawned task may have a body of 256 KiB');
    },
  },
  {
    name: 'moments as far as time goes are kept to the millisecond and in their order',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      const records = [...farMoments].reverse().map((runAt) => record(`at-${runAt}`, { runAt }));
      await store.insert(records);
      for (const { id, runAt } of records) {
        same((await read(store, id)).runAt, runAt, 'a moment is kept to the millisecond');
      }
      const result = await claimRequest(store, { leaseMs: 1e15 });
      const due = farMoments.filter((runAt) => runAt <= start);
      same(
        idsOf(result.tasks),
        due.map((runAt) => `at-${runAt}`),
        'what is due is taken by wakeAt, the most distant past first',
      );
      same(
        result.nextWakeAt !== null && result.nextWakeAt <= 2 ** 31 * 1000,
        true,
        'nextWakeAt is no later than the next distant moment',
      );
      const [first] = result.tasks;
      if (!first) throw new Error('tasks were claimed');
      await store.settle([again(first, 8.64e15)]);
      same((await read(store, first.id)).wakeAt, 8.64e15, 'a settlement takes the last moment');
    },
  },
];

/** Takes a task through its life under each of these ids, and checks that the others stay untouched. */
async function everyCallTellsApart(store: DataStore, ids: readonly string[]): Promise<void> {
  const inserted = await store.insert(ids.map((id) => record(id, { body: JSON.stringify(id) })));
  same(
    ids.filter((_, index) => inserted[index] !== 'inserted').map(show),
    [],
    'ids are compared byte by byte, so none of these exists yet',
  );
  same(new Set(idsOf(await listAll(store))), new Set(ids), 'list gives every id as it was given');
  const stored = await store.get(ids);
  for (const [index, id] of ids.entries()) {
    const task = stored[index];
    same([task?.id, task?.body], [id, JSON.stringify(id)], `get finds the task of ${show(id)}`);
  }
  const tasks = await claim(store, { limit: ids.length });
  same(new Set(idsOf(tasks)), new Set(ids), 'claim gives every id as it was given');
  for (const task of tasks) {
    same(task.body, JSON.stringify(task.id), 'claim gives an id with its own task');
  }
  same(
    await store.extend(tasks.map(leaseOf), leaseMs),
    tasks.map((task) => task.revision),
    'extend finds every id',
  );
  const settled = await store.settle(
    tasks.map((task) =>
      again(task, start, {
        history: [{ taskId: task.id, id: task.id, at: start, body: JSON.stringify(task.id) }],
      }),
    ),
  );
  same(new Set(settled), new Set(['settled']), 'settle finds every id');
  for (const id of ids) {
    const entries = (await store.history(id, 10)).map((entry) => [entry.taskId, entry.id]);
    same(entries, store.capabilities.history ? [[id, id]] : [], `the history of ${show(id)}`);
    const edited = await store.update(id, { runAt: start + 1 }, await read(store, id));
    same(edited, 'updated', `update finds the task of ${show(id)}`);
    same(await store.setPaused({ ids: [id] }, true), 1, `setPaused finds ${show(id)} alone`);
  }
  for (const [index, id] of ids.entries()) {
    same(await store.remove({ ids: [id] }), 1, `remove finds ${show(id)} alone`);
    same(await store.count({}), ids.length - index - 1, `remove of ${show(id)} deletes one task`);
  }
}

/** Escapes odd text, because twins look alike. */
function show(text: string): string {
  const visible = text.length > 40 ? `${text.slice(0, 30)}… (${text.length} units)` : text;
  const escaped = JSON.stringify(visible);
  return escaped.replaceAll(/[^ -~]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
}
