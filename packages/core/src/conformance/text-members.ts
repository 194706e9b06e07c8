import type { DataStore, NewTaskRecord, WakeUp } from '../data-store.js';
import { same } from './check.js';
import type { CaseDefinition } from './harness.js';
import { start, until } from './harness.js';
import { longTexts, oddTexts, show } from './odd-texts.js';
import { listAll } from './pages.js';
import { again, claim, claimOne, idsOf, leaseMs, read, record } from './records.js';

const texts = [...oddTexts, ...longTexts];

/** The record whose name, queue and group are the text of this index, and whose id is the index. */
function named(text: string, index: number): NewTaskRecord {
  return record(`${index}`, { name: text, queue: text, group: text });
}

/** Names, queues, groups and owners. */
export const textMemberCases: readonly CaseDefinition[] = [
  {
    name: 'names, queues and groups of up to 255 bytes are kept and compared byte by byte',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      await store.insert(texts.map(named));
      await areKept(store, 'insert');
      for (const [index, text] of texts.entries()) {
        const of = `${show(text)} is one task’s`;
        for (const member of ['name', 'queue', 'group'] as const) {
          const filter = { [member]: text };
          same(idsOf(await listAll(store, filter)), [`${index}`], `the ${member} ${of}`);
          same(await store.count(filter), 1, `the ${member} ${of}`);
        }
        same(await store.setPaused({ group: text }, true), 1, `the group ${of}`);
        same(await store.setPaused({ group: text }, false), 1, `the group ${of}`);
        const [task, ...others] = await claim(store, { queues: [text] });
        same([task?.id, others], [`${index}`, []], `the queue ${of}`);
        same(
          [task?.name, task?.queue, task?.group],
          [text, text, text],
          'claim gives names, queues and groups back byte for byte',
        );
      }
      for (const [index, text] of texts.entries()) {
        same(await store.remove({ group: text }), 1, `the group ${show(text)} is one task’s`);
        const left = texts.length - index - 1;
        same(await store.count({}), left, `remove of the group ${show(text)} deletes one task`);
      }
    },
  },
  {
    name: 'the names, queues and groups that an edit brings are kept byte for byte',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      await store.insert(texts.map((_, index) => record(`${index}`)));
      for (const { id, name, queue, group } of texts.map(named)) {
        await store.update(id, { name, queue, group }, await read(store, id));
      }
      await areKept(store, 'update');
      await areFound(store, 'update');
    },
  },
  {
    name: 'the names, queues and groups of spawned tasks are kept byte for byte',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      await store.insert([record('parent')]);
      const records = texts.map(named);
      for (let from = 0; from < records.length; from += 20) {
        const spawn = records.slice(from, from + 20);
        await store.settle([again(await claimOne(store), start, { spawn })]);
      }
      await areKept(store, 'spawn');
      await areFound(store, 'spawn');
    },
  },
  {
    name: 'an empty group is a group, and an empty queue and name are a queue and a name',
    guarantee: 'G8',
    async run({ open }) {
      const store = await open();
      await store.insert([
        record('empty', { name: '', queue: '', group: '' }),
        record('none', { group: null }),
      ]);
      const sentence = 'the empty text is a text like any other, and not the absence of one';
      const found = async (filter: object) => idsOf(await listAll(store, filter));
      same(await found({ group: '' }), ['empty'], sentence);
      same(await found({ group: null }), ['none'], sentence);
      same(await found({ name: '' }), ['empty'], sentence);
      same(await found({ queue: '' }), ['empty'], sentence);
      same(await store.count({ group: null }), 1, sentence);
      same(await store.count({ queue: '' }), 1, sentence);
      same(idsOf(await claim(store, { queues: [''] })), ['empty'], sentence);
      same(await store.setPaused({ group: '' }, true), 1, sentence);
      same(await store.remove({ group: '' }), 1, sentence);
      await store.update('none', { group: '' }, await read(store, 'none'));
      same((await read(store, 'none')).group, '', sentence);
      await store.update('none', { group: null }, await read(store, 'none'));
      same((await read(store, 'none')).group, null, sentence);
    },
  },
  {
    name: 'an owner is given back byte for byte, with its lease and when it let it run out',
    guarantee: 'G8',
    async run({ open, clock }) {
      const store = await open();
      await store.insert(texts.map(named));
      const expected = new Map<string, string>();
      for (const [index, text] of texts.entries()) {
        const task = await claimOne(store, { queues: [text], owner: text });
        same(task.lease.owner, text, 'claim gives an owner back byte for byte');
        const { lease } = await read(store, `${index}`);
        same(lease?.owner, text, 'get gives an owner back byte for byte');
        expected.set(task.id, text);
      }
      for (const { id, lease } of await listAll(store, { leased: true })) {
        same(lease?.owner, expected.get(id), 'list gives an owner back byte for byte');
      }
      clock.advance(leaseMs);
      for (const [index, text] of texts.entries()) {
        const heir = await claimOne(store, { queues: [text], owner: 'heir' });
        same(
          [heir.id, heir.lapsedOwner],
          [`${index}`, text],
          'lapsedOwner is the owner whose lease ran out, byte for byte',
        );
      }
    },
  },
  {
    name: 'a watcher is told the queue of a task byte for byte, where the store claims to notify',
    guarantee: 'G8',
    async run({ open }) {
      const [store, other] = [await open(), await open()];
      if (!store.capabilities.watch) return;
      const heard = new Set<string>();
      const stop = await store.watch(({ queue }: WakeUp) => heard.add(queue));
      await other.insert(texts.map(named));
      const unheard = () => texts.filter((text) => !heard.has(text)).map(show);
      const isEachHeard = () => unheard().length === 0;
      await until(isEachHeard, 'a notification names the queue, byte for byte', 10).catch(
        (error: unknown) => {
          same(unheard(), [], 'a notification names the queue of a task, byte for byte');
          throw error;
        },
      );
      await stop();
    },
  },
];

async function areKept(store: DataStore, call: string): Promise<void> {
  const tasks = await store.get(texts.map((_, index) => `${index}`));
  const listed = new Map((await listAll(store)).map((task) => [task.id, task]));
  for (const [index, text] of texts.entries()) {
    for (const task of [tasks[index], listed.get(`${index}`)]) {
      same(
        [task?.name, task?.queue, task?.group],
        [text, text, text],
        `the name, queue and group that came by ${call} are given back byte for byte`,
      );
    }
  }
}

async function areFound(store: DataStore, call: string): Promise<void> {
  for (const [index, text] of texts.entries()) {
    const of = `that came by ${call} is one task’s: ${show(text)}`;
    same(await store.count({ name: text }), 1, `a name ${of}`);
    same(await store.setPaused({ group: text }, true), 1, `a group ${of}`);
    same(await store.setPaused({ group: text }, false), 1, `a group ${of}`);
    same(idsOf(await claim(store, { queues: [text] })), [`${index}`], `a queue ${of}`);
  }
}
