import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createScheduler, type DataStore, defineTask, every, type Scheduler } from '@sched/core';
import { createDashboard } from '@sched/dashboard';
import { toNodeListener } from '@sched/http/node';
import { MysqlDataStore } from '@sched/mysql';
import { PostgresDataStore } from '@sched/postgres';
import { RedisDataStore } from '@sched/redis';
import { SqliteDataStore } from '@sched/sqlite';
import type { Page } from '@sched-tooling/browser';
import type { RunningService } from '@sched-tooling/services';
import { vi } from 'vitest';

export const mail = defineTask<{ to: string }>('mail');
export const report = defineTask<{ year: number }>('report');
const invoice = defineTask('invoice');

/** A database server, of those that the services have. */
type Database = Pick<RunningService, 'name' | 'url'>;

/** Where tasks are, in a form that another process can be told. */
type Place =
  | { readonly kind: 'sqlite'; readonly options: { readonly path: string } }
  | {
      readonly kind: 'postgres';
      readonly options: { readonly url: string; readonly schema: string };
    }
  | {
      readonly kind: 'mysql' | 'redis';
      readonly options: { readonly url: string; readonly namespace: string };
    };

/** A worker that runs in a process of its own. */
export interface WorkerProcess {
  readonly process: ChildProcess;
  /** Lets the runs end that wait. */
  release(): void;
  /** Ends it by SIGKILL. */
  kill(): Promise<void>;
}

/** A dashboard that is served, over a store of its own. */
export interface Site {
  /** The page. */
  readonly url: string;
  readonly store: DataStore;
  /** Over the same tasks. It runs none of them. */
  readonly scheduler: Scheduler;
  /** Starts a worker, and waits until it is at work. */
  work(owner: string, queues?: readonly string[]): Promise<WorkerProcess>;
  close(): Promise<void>;
}

/** @param on the server to have the tasks on; without one they are in an SQLite file */
export async function createSite(on?: Database): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'sched-site-'));
  const place: Place = on
    ? placeOn(on)
    : { kind: 'sqlite', options: { path: join(folder, 'tasks.db') } };
  const store = storeAt(place);
  const scheduler = createScheduler({ store, tasks: [mail, report, invoice] });
  const dashboard = createDashboard({
    ...{ scheduler, basePath: '/sched', audit: () => {} },
    authorize: () => ({ who: 'ada', may: 'admin' }),
  });
  const server = await listen(toNodeListener(dashboard));
  const workers: WorkerProcess[] = [];
  return {
    url: `${server.origin}/sched/`,
    ...{ store, scheduler },
    async work(owner, queues) {
      const worker = await startWorker({ ...place, owner, queues });
      workers.push(worker);
      return worker;
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.kill()));
      await dashboard.close();
      await server.close();
      await scheduler.stop({ deadline: 0 });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function placeOn({ name, url }: Database): Place {
  const own = `dashboard_${crypto.randomUUID().slice(0, 8)}`;
  if (name === 'postgres') return { kind: name, options: { url, schema: own } };
  if (name === 'mysql' || name === 'redis') return { kind: name, options: { url, namespace: own } };
  throw new Error(`No dashboard is tested on ${name}.`);
}

function storeAt({ kind, options }: Place): DataStore {
  if (kind === 'sqlite') return new SqliteDataStore(options);
  if (kind === 'postgres') return new PostgresDataStore(options);
  return kind === 'mysql' ? new MysqlDataStore(options) : new RedisDataStore(options);
}

async function startWorker(order: object): Promise<WorkerProcess> {
  const file = fileURLToPath(new URL('worker.mjs', import.meta.url));
  const child = fork(file, [JSON.stringify(order)], { execArgv: [] });
  const ended = once(child, 'exit');
  const [said] = await Promise.race([once(child, 'message'), ended]);
  if (said !== 'started') throw new Error(`The worker ended with ${said}: are the packages built?`);
  return {
    process: child,
    release: () => void child.send('release'),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

interface Listening {
  readonly origin: string;
  readonly server: Server;
  close(): Promise<void>;
}

/** Listens at a free port. */
export async function listen(listener: RequestListener): Promise<Listening> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Waits until a condition holds. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  await vi.waitFor(
    async () => {
      if (!(await condition())) throw new Error(`It did not come about: ${condition}`);
    },
    { timeout: 60_000, interval: 50 },
  );
}

export const pages = ['Overview', 'Tasks', 'Failures', 'Queues', 'Workers', 'Audit'];

/** Waits until everything on the page has been read, and the server tells what happens. */
export async function settled(page: Page, heading: string): Promise<void> {
  await page.getByRole('heading', { level: 1, name: heading }).waitFor();
  await page.getByText('Live', { exact: true }).waitFor();
  await page.waitForFunction(() => !document.body.textContent?.includes('Loading…'));
  // What can be scrolled is told apart once it has its size, which is after it has been drawn.
  await page.evaluate(
    () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
  );
}

/** Tasks of every kind, in every state, as far as they get while nobody lets the report end. */
export async function populate(site: Site): Promise<WorkerProcess> {
  const { scheduler } = site;
  const weekdays = { cron: '0 9 * * MON-FRI', timeZone: 'Europe/Berlin', group: 'letters' };
  await scheduler.schedule(mail, { id: 'welcome', payload: { to: 'grace' }, ...weekdays });
  await scheduler.schedule(mail, { id: 'farewell', payload: { to: 'alan' }, ...weekdays });
  await scheduler.pause('farewell');
  for (const id of ['invoice-1', 'invoice-2']) {
    await scheduler.schedule(invoice, { id, in: 0, retry: { limit: 0 } });
  }
  await scheduler.schedule(report, {
    ...{ id: 'annual-report', payload: { year: 2026 } },
    // Due in a moment, and then again while nobody looks.
    trigger: every('1h', { start: new Date(Date.now() + 500) }),
  });
  for (let day = 1; day <= 60; day++) {
    const at = new Date(Date.now() + day * 86_400_000);
    const id = `reminder-${String(day).padStart(2, '0')}`;
    await scheduler.schedule(mail, { id, payload: { to: 'ada' }, at, queue: 'slow' });
  }
  const worker = await site.work('worker-a', ['default']);
  await scheduler.runNow('welcome');
  await until(async () => {
    const task = await scheduler.get('annual-report');
    const { length } = await scheduler.history('welcome');
    const failed = await scheduler.count({ state: 'failed' });
    return task?.state === 'running' && task.report !== null && length > 0 && failed === 2;
  });
  return worker;
}
