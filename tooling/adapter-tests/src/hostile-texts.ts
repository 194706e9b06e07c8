import type { DataStore } from '@sched/core';
import { expect, test } from 'vitest';
import { claimAll, record, settlement } from './records.js';

/** What some database, language or protocol would take for something else than text. */
export const hostileTexts: readonly string[] = [
  '__proto__',
  '{"__proto__": {"polluted": true}}',
  '{"$where": "sleep(1000)", "$set": {"a.b": 1}}',
  '$where',
  '$$NOW',
  'a.b.$[].c',
  "'); DROP TABLE sched_tasks; --",
  '`; DROP TABLE sched_tasks; # \\',
  `]]..redis.call('FLUSHALL')..[[ ' .. "\\" % \${x} {0} KEYS[1]`,
  '\r\n*1\r\n$8\r\nFLUSHALL\r\n',
  '#n = :v, attribute_not_exists(id)',
  '"\\u0000 \\ud800"',
  '👩‍👩‍👧 \u2028 \u{10ffff} \ufeff \u007f \t\r\n',
  `"${'x'.repeat(1024 * 1024)}"`,
  `"${'🎉'.repeat(256 * 1024)}"`,
];

/**
 * Sends texts through every call that carries any, as ids, names and bodies, and expects them back byte for byte.
 *
 * @param open opens a store in a place of its own, at the time 1000
 * @param texts those that this store can hold
 */
export function testHostileTexts(
  open: () => Promise<DataStore>,
  texts: readonly string[] = hostileTexts,
): void {
  test.each(texts.map((text) => [text.slice(0, 40), text]))(
    'comes back as it was: %j',
    async (_, body) => {
      const store = await open();
      const name = [...body].slice(0, 40).join('');
      const given = record(name, { name, queue: name, group: name, body });
      expect(await store.insert([given])).toEqual(['inserted']);
      expect(await store.get([name])).toMatchObject([given]);
      expect(await store.count({ name, queue: name, group: name })).toBe(1);
      const { tasks } = await store.claim({ ...claimAll, queues: [name], owner: name });
      expect(tasks).toMatchObject([{ ...given, lease: { owner: name } }]);
      const [task] = tasks;
      if (!task) throw new Error('a task was claimed');
      const next = { status: 'scheduled', runAt: 1000, body } as const;
      const history = [{ taskId: name, id: name, at: 1000, body }];
      const spawn = [{ ...given, id: `${name}2` }];
      expect(await store.settle([settlement(task, { next, history, spawn })])).toEqual(['settled']);
      expect(await store.history(name, 9)).toEqual(history);
      const page = await store.list({ group: name, limit: 9 });
      expect(page.tasks.map((each) => each.body)).toEqual([body, body]);
      expect(await store.setPaused({ group: name }, true)).toBe(2);
      expect(await store.remove({ ids: [name] })).toBe(1);
      expect(await store.remove({ group: name })).toBe(1);
      expect(Object.prototype).not.toHaveProperty('polluted');
    },
  );
}
