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
    find: "search(due, queue .. ' ', '', sortable(now) .. '!', limit)",
    by: "search(due, queue .. ' ', '', sortable(now) .. ' ', limit)",
  },
  {
    name: 'claims a millisecond early',
    breaks: 'G4',
    find: "search(due, queue .. ' ', '', sortable(now) .. '!', limit)",
    by: "search(due, queue .. ' ', '', sortable(now + 1) .. '!', limit)",
  },
  {
    name: 'leaves the old entry of a task in the index of what is due',
    breaks: 'G2',
    find: "if from then add(dueOut, from .. ' ' .. id) end",
    by: '',
  },
  {
    name: 'leaves what it has claimed in the index where it was',
    breaks: 'G2',
    find: "call('ZREMRANGEBYLEX', due, '[' .. ranges[i], '[' .. ranges[i + 1])",
    by: '',
  },
  {
    name: 'forgets to index what it has claimed',
    breaks: 'G1',
    find: 'push(dueIn, 0, place .. id)',
    by: '',
  },
  {
    name: 'forgets to index what came to wake later than before',
    breaks: 'G5',
    find: "if isLater then push(dueIn, 0, to .. ' ' .. id) elseif to",
    by: 'if to and not isLater',
  },
  {
    name: 'says nothing of a task that comes to wake earlier in its queue',
    breaks: 'G5',
    find: 'if isLater then push',
    by: 'if from and to then push',
  },
  {
    name: 'takes the time of the claim for its token',
    breaks: 'G2',
    find: "token = token == '' and number() or token",
    by: 'token = text(now)',
  },
  {
    name: 'orders moments before 1970 as those after it',
    breaks: 'G5',
    find: "if number < 0 then return format('-%016.0f', 9e15 + number) end",
    by: "if number < 0 then return format('-%016.0f', -number) end",
  },
  {
    name: 'forgets the group of a task that moves to another',
    breaks: 'G6',
    find: 'if task[groupIn] ~= task.group then',
    by: 'if false then',
  },
  {
    name: 'reads tasks of another queue whose name goes on',
    breaks: 'G8',
    find: "search(due, queue .. ' ', '', sortable(now)",
    by: "search(due, queue, '', ' ' .. sortable(now)",
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
    name: 'writes a task that changes twice in one call as it was after the first time',
    breaks: 'G6',
    find: 'if dropped[id] then commit() end',
    by: '',
  },
  {
    name: 'has paused tasks in the index of what is due',
    breaks: 'G6',
    find: "if task[statusIn] ~= 'scheduled' or task[pausedIn] ~= '' then return nil end",
    by: "if task[statusIn] ~= 'scheduled' then return nil end",
  },
  {
    name: 'extends the lease of any token',
    breaks: 'G2',
    find: 'return task and task[tokenIn] == token and task',
    by: "return task and task[tokenIn] ~= '' and task",
  },
  {
    name: 'counts a delivery that was given back',
    breaks: 'G3',
    find: 'task[deliveriesIn] = task[deliveriesIn] - 1',
    by: '',
  },
  {
    name: 'counts every delivery as the first',
    breaks: 'G3',
    find: 'deliveries + 1',
    by: '1',
  },
  {
    name: 'settles what was edited since',
    breaks: 'G6',
    find: 'held == token and current == revision',
    by: 'held == token',
  },
  {
    name: 'settles what another has claimed since',
    breaks: 'G2',
    find: 'held == token and current == revision',
    by: 'current == revision',
  },
  {
    name: 'does not remember what was settled',
    breaks: 'G1',
    find: 'task[revisionIn], task[settledIn] = number(), token',
    by: 'task[revisionIn] = number()',
  },
  {
    name: 'appends the history of a settlement that is refused',
    breaks: 'G2',
    find: 'if applies[i] then append(',
    by: 'if true then append(',
  },
  {
    name: 'spawns what belongs to a settlement that is refused',
    breaks: 'G6',
    find: "if applies[i] and isElsewhere == '' then",
    by: "if isElsewhere == '' then",
  },
  {
    name: 'writes over an entry of the history that exists',
    breaks: 'G5',
    find: "call('HSETNX', history,",
    by: "call('HSET', history,",
  },
  {
    name: 'loses the run of a task that was gone when it runs again',
    breaks: 'G5',
    find: "call('HSET', history, match(alone, ' ([^ ]*)'), alone)",
    by: '',
  },
  {
    name: 'lists a task under the group that it has left',
    breaks: 'G6',
    find: "if task.group ~= '' then add(groupedOut, task.group .. entry) end",
    by: '',
  },
  {
    name: 'lists a task that has been removed',
    breaks: 'G8',
    find: "write('ZREM', listed, gone)",
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
