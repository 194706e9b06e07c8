// The size of what users bundle: minified and gzipped, in bytes (1 kB = 1000 B). A figure is raised
// only with a reason in the commit that raises it.

/** Names to import, by package. */
export type Imports = Record<string, string[]>;

export interface Budget {
  what: string;
  imports: Imports;
  /** Packages that do not count, because whoever imports these has them anyway. */
  external?: string[];
  maxBytes: number;
}

export const budgets: Budget[] = [
  {
    what: 'everything: scheduler, worker, memory store, every and cron',
    imports: {
      '@sched/core': ['createScheduler', 'defineTask', 'every', 'cron'],
      '@sched/memory': ['MemoryDataStore'],
    },
    // First thought to be 15 kB. What it took since: policies that decide the same again after a
    // crash, a worker that outlives any fault of a store and stalls of its own, and errors that say what to do: which of
    // the known options a misspelt one was meant to be; statements that calls of schedule share; and
    // middleware, headers, what handlers tell while they run, who is at work where, and the newest runs of all tasks,
    // which memory keeps in order: what those look at who run it; and codecs that may wait, as encryption and key
    // services have to, and what is called or run when a scheduler stops, within a bound; and what each store can do, in the report of its health.
    // Users on a server gain more by these than by the bytes; what may not grow unnoticed is their sum.
    maxBytes: 39_200,
  },
  {
    what: 'the scheduler alone: no store, no combinations',
    imports: { '@sched/core': ['createScheduler', 'defineTask'] },
    // It has every, cron and their time zones in it, 5 kB of this, so that schedule(task, { cron })
    // works in every process without naming the kind. Whoever schedules with them has them in the
    // bundle anyway.
    maxBytes: 36_100,
  },
  {
    what: 'one trigger: every',
    imports: { '@sched/core': ['every'] },
    maxBytes: 3_400,
  },
  {
    what: 'moving between stores: copyTasks',
    imports: { '@sched/core': ['copyTasks'] },
    maxBytes: 6_000,
  },
  {
    what: 'the HTTP API, without core',
    imports: { '@sched/http': ['createApi'] },
    external: ['@sched/core'],
    // A quarter of this is valibot and what makes JSON Schema of it. Added since: what runs next, ids by their
    // beginning, and what runs have told, without which the dashboard would have to read all tasks by itself.
    maxBytes: 23_200,
  },
  {
    what: 'the dashboard, without core and the HTTP API',
    imports: { '@sched/dashboard': ['createDashboard'] },
    external: ['@sched/core', '@sched/http'],
    // Nearly all of it is what the browser gets: Preact and its signals, uPlot, and the pages. It is
    // compressed already, and written as Base64, which compresses back to a little more than that.
    maxBytes: 72_000,
  },
  {
    what: 'the dashboard on this machine, without core and the HTTP API',
    imports: { '@sched/dashboard/local': ['serveLocally'] },
    external: ['@sched/core', '@sched/http'],
    maxBytes: 73_500,
  },
  {
    what: 'its listener for node:http',
    imports: { '@sched/http/node': ['toNodeListener'] },
    external: ['@sched/core'],
    maxBytes: 1_250,
  },
  {
    what: 'encryption, without core',
    imports: { '@sched/encryption': ['encryption'] },
    external: ['@sched/core'],
    maxBytes: 1_800,
  },
  {
    what: 'handlers in threads, without core and Piscina',
    imports: { '@sched/worker-threads': ['inThread', 'createThreadPool'] },
    external: ['@sched/core', 'piscina'],
    maxBytes: 2_200,
  },
];

/**
 * Each adapter, without core and without its driver. What it uses of `@sched/core/adapter` counts, and so do the errors and
 * checks of core that this shares with the scheduler: some 4 kB, which a program with several adapters has once.
 */
const adapterMaxBytes = 6_000;

/**
 * Adapters that need more. Their statements and scripts are text that no bundler shortens, and they
 * open, watch and recover connections, which an embedded database does not have to. DynamoDB does less
 * by itself than the others: what is one statement there is conditions, retries and merging of pages here.
 * MongoDB has no scripts either: what takes several steps is taken here, and so is what a crash leaves in
 * between. SQLite's driver takes text that does not come back as it was, so the adapter looks at it first. Those for
 * SQL count with `schemaSql`, which is in no bundle of who does not import it. SQLite and PostgreSQL give the newest
 * entries of all histories.
 */
const largerAdapters: Record<string, number> = {
  sqlite: 10_500,
  postgres: 14_400,
  redis: 15_700,
  mysql: 13_000,
  mongo: 14_600,
  dynamodb: 13_900,
};

export function adapterBudget(id: string): number {
  return largerAdapters[id] ?? adapterMaxBytes;
}
