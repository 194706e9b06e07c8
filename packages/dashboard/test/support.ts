import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createScheduler, defineTask } from '@sched/core';
import { createDashboard, type DashboardOptions } from '@sched/dashboard';
import { toNodeListener } from '@sched/http/node';
import { SqliteDataStore } from '@sched/sqlite';
import { onTestFinished } from 'vitest';

export const sweep = defineTask('sweep', { handler: () => {} });

export const origin = 'http://tasks.test';

/** A dashboard over a scheduler on an SQLite file of its own. */
export function setting(options: Partial<DashboardOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'sched-dashboard-'));
  const store = new SqliteDataStore({ path: join(folder, 'tasks.db') });
  const scheduler = createScheduler({ store, tasks: [sweep] });
  const dashboard = createDashboard({
    scheduler,
    basePath: '/sched',
    authorize: () => ({ who: 'ada', may: 'admin' }),
    audit: () => {},
    ...options,
  });
  onTestFinished(async () => {
    await dashboard.close();
    await scheduler.stop({ deadline: 0 });
    rmSync(folder, { recursive: true, force: true });
  });
  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    dashboard(new Request(`${origin}${path}`, { method, headers }));
  return { scheduler, dashboard, get };
}

/** Serves on loopback until the test is over. Gives the origin. */
export async function serve(handler: Parameters<typeof toNodeListener>[0]): Promise<string> {
  const server = createServer(toNodeListener(handler));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The addresses that a page names in attributes of its elements. */
export function addressesIn(html: string): string[] {
  return [...html.matchAll(/\s(?:src|href)="([^"]*)"/g)].map(([, address = '']) => address);
}
