import type { ConformanceTarget } from '@sched/core/conformance';
import type { RedisConnection } from '@sched/redis';
import { RedisDataStore } from '@sched/redis';
import type { Patch } from '@sched-tooling/adapter-tests';
import { testPatches } from '@sched-tooling/adapter-tests';
import { describeOnEach } from '@sched-tooling/services';
import { Redis } from 'ioredis';

const patches: readonly Patch[] = [
  {
    name: 'claims a millisecond late',
    breaks: 'G4',
    find: "search(due, prefix, '', sortable(now) .. ';', limit)",
    by: "search(due, prefix, '', sortable(now) .. ':', limit)",
  },
  {
    name: 'claims a millisecond early',
    breaks: 'G4',
    find: "search(due, prefix, '', sortable(now) .. ';', limit)",
    by: "search(due, prefix, '', sortable(now + 1) .. ';', limit)",
  },
  {
    name: 'leaves the old entry of a task in the index of what is due',
    breaks: 'G2',
    find: "inBulk('ZREM', due, dueOut)",
    by: '',
  },
  {
    name: 'forgets to index what came to wake later than before',
    breaks: 'G1',
    find: 'if at then push(dueIn, 0, dueEntry(task, at, id)) end',
    by: 'if at and not (old.at and at > old.at) then push(dueIn, 0, dueEntry(task, at, id)) end',
  },
  {
    name: 'does not move the entry of a task that goes to another queue',
    breaks: 'G6',
    find: 'if at ~= old.at or task.queue ~= old.queue then',
    by: 'if at ~= old.at then',
  },
  {
    name: 'takes the time of the claim for its token',
    breaks: 'G2',
    find: 'task.token, task.owner, task.expiresAt = number(), owner, expiresAt',
    by: 'task.token, task.owner, task.expiresAt = text(now), owner, expiresAt',
  },
  {
    name: 'orders moments before 1970 as those after it',
    breaks: 'G5',
    find: "if number < 0 then return format('-%016.0f', 9e15 + number) end",
    by: "if number < 0 then return format('-%016.0f', -number) end",
  },
  {
    name: 'reads tasks of another queue whose name goes on after a colon',
    breaks: 'G8',
    find: "#label .. ':' .. label .. ':'",
    by: "label .. ':'",
  },
  {
    name: 'loses the thousandth of many changes',
    breaks: 'G1',
    find: 'math.min(i + 999, #list)',
    by: 'math.min(i + 998, #list)',
  },
  {
    name: 'puts a new task in the place of one that exists',
    breaks: 'G1',
    find: "if find(id) then return 'exists' end",
    by: '',
  },
  {
    name: 'does not clear a member that is set to null',
    breaks: 'G6',
    find: 'if value == cjson.null then task[key] = nil else task[key] = value end',
    by: 'if value ~= cjson.null then task[key] = value end',
  },
  {
    name: 'has paused tasks in the index of what is due',
    breaks: 'G6',
    find: "if task.status ~= 'scheduled' or task.paused then return nil end",
    by: "if task.status ~= 'scheduled' then return nil end",
  },
  {
    name: 'extends the lease of any token',
    breaks: 'G2',
    find: "local isHeld = task and task.token == token\n  push(answers, isHeld and task.revision or '')",
    by: "local isHeld = task and task.token\n  push(answers, isHeld and task.revision or '')",
  },
  {
    name: 'counts a delivery that was given back',
    breaks: 'G3',
    find: 'task.deliveries = task.deliveries > 1 and task.deliveries - 1 or nil',
    by: '',
  },
  {
    name: 'settles what was edited since',
    breaks: 'G6',
    find: "answer = task.revision == revision and 'applied' or 'conflict'",
    by: "answer = 'applied'",
  },
  {
    name: 'settles what another has claimed since',
    breaks: 'G2',
    find: 'elseif task and task.token == token then',
    by: 'elseif task and task.token then',
  },
  {
    name: 'does not remember what was settled',
    breaks: 'G1',
    find: 'task.deliveries, task.settled, task.revision = nil, token, number()',
    by: 'task.deliveries, task.revision = nil, number()',
  },
  {
    name: 'appends the history of a settlement that is refused',
    breaks: 'G2',
    find: 'if applies then append(taskId, entryId, at, run) end',
    by: 'append(taskId, entryId, at, run)',
  },
  {
    name: 'spawns what belongs to a settlement that is refused',
    breaks: 'G6',
    find: 'if applies then create(child, envelope, childBody) end',
    by: 'create(child, envelope, childBody)',
  },
  {
    name: 'writes over an entry of the history that exists',
    breaks: 'G5',
    find: "call('HSETNX', history, id,",
    by: "call('HSET', history, id,",
  },
  {
    name: 'says nothing of a task that comes to wake earlier in its queue',
    breaks: 'G5',
    find: 'if at and not (old.at and old.at <= at and old.queue == task.queue) then',
    by: 'if at and not old.at then',
  },
  {
    name: 'lists a task under the group that it has left',
    breaks: 'G6',
    find: 'if old.group then push(listedOut, listedEntry(prefixOf(old.group), old, id)) end',
    by: '',
  },
];

await describeOnEach(['redis'], 'RedisDataStore', ({ url }) => {
  testPatches(patches, (patched) => patchedTarget(url, patched));
});

/** Places in which every script is changed on its way to the server. */
function patchedTarget(url: string, patched: (script: string) => string): ConformanceTarget {
  return {
    create() {
      const namespace = `test-${crypto.randomUUID()}`;
      const clients: Redis[] = [];
      return {
        connect(options) {
          const client = new Redis(url, { replyMapping: 'legacy' });
          clients.push(client);
          return new RedisDataStore({
            client: patchedClient(client, patched),
            namespace,
            ...options,
          });
        },
        async dispose() {
          const [client] = clients;
          const keys = (await client?.keys(`{${namespace}:*`)) ?? [];
          if (keys.length > 0) await client?.del(...keys);
          for (const each of clients) each.disconnect();
        },
      };
    },
  };
}

/** The server is asked to run each script by its text, which it has never seen before. */
function patchedClient(client: Redis, patched: (script: string) => string): RedisConnection {
  return {
    evalsha: async () => {
      throw new Error('NOSCRIPT');
    },
    eval: (script, ...rest) => client.eval(patched(script), ...rest),
    info: () => client.info(),
    config: (subcommand, parameter) => client.config(subcommand, parameter),
    duplicate: (options) => client.duplicate(options),
  };
}
