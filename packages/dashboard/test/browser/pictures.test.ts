// The pictures of the README. A run of the tests shows that they can be made and that they are there. Only
// `npm run pictures:update` writes them: two are never the same to the byte, because times are in them.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  anyOf,
  createScheduler,
  cron,
  defineTask,
  every,
  PermanentError,
  type Scheduler,
} from '@sched/core';
import { createDashboard } from '@sched/dashboard';
import { toNodeListener } from '@sched/http/node';
import { MemoryDataStore } from '@sched/memory';
import { describeInBrowser, type Page, visit } from '@sched-tooling/browser';
import { expect, onTestFinished, test } from 'vitest';
import { listen, until } from './site.js';

const folder = fileURLToPath(new URL('../../../../docs/pictures', import.meta.url));
const isUpdate = process.env.SCHED_TEST_PICTURES === '1';
const size = { width: 1400, height: 860 };
const mostBytes = 200_000;

/** Which picture shows what. */
const pictures: Readonly<Record<string, { path: string; ready: (page: Page) => Promise<void> }>> = {
  overview: {
    path: '#/',
    ready: async (page) => {
      await page.getByTestId('running').getByText('%').first().waitFor();
      await page.getByTestId('throughput').locator('canvas').waitFor();
      await page.getByTestId('past').locator('canvas').waitFor();
    },
  },
  task: {
    path: '#/tasks/billing%3Amonthly',
    ready: async (page) => {
      await page.getByTestId('clock-change').first().waitFor();
      await page.getByTestId('policies').getByText('Overlap').first().waitFor();
    },
  },
};

/** A shop in the middle of its day. */
async function open(): Promise<{ url: string; scheduler: Scheduler }> {
  const mail = defineTask<{ to: string }>('send-mail', { handler: () => {} });
  const quick = defineTask('refresh-cache', { handler: () => {} });
  const broken = defineTask<{ order: number }>('charge-card', {
    retry: { limit: 0 },
    handler() {
      throw new PermanentError('The bank does not answer');
    },
  });
  const long = defineTask<{ done: number }>('export-orders', {
    async handler({ payload, progress, log, signal }) {
      log('Reading the orders.');
      progress(payload.done);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    },
  });
  const bill = defineTask<{ region: string }>('close-books', {
    ...{ retry: { limit: 5 }, timeout: '30m', overlap: 'queueOne' as const },
    handler: () => {},
  });
  const options = { store: new MemoryDataStore(), tasks: [mail, quick, broken, long, bill] };
  const [scheduler, other] = ['shop-1', 'shop-2'].map((owner) =>
    createScheduler({ ...options, owner, triggers: [anyOf], concurrency: 8 }),
  ) as [Scheduler, Scheduler];
  const zone = { timeZone: 'Europe/Berlin' };
  await scheduler.scheduleMany([
    { task: bill, id: 'billing:monthly', payload: { region: 'eu' }, cron: '30 2 1 * *', ...zone },
    { task: mail, id: 'mail:digest', payload: { to: 'all' }, cron: '0 9 * * MON-FRI', ...zone },
    { task: mail, id: 'mail:reminders', payload: { to: 'late' }, every: '20m' },
    { task: quick, id: 'cache:prices', trigger: every('5m') },
    { task: quick, id: 'cache:stock', trigger: anyOf(cron('*/10 * * * *'), cron('5 8 * * *')) },
    ...[0.35, 0.8].map((done, index) => ({
      ...{ task: long, id: `export:${['orders', 'customers'][index]}`, payload: { done }, in: 0 },
    })),
    ...[4711, 4712, 4720].map((order) => ({
      ...{ task: broken, id: `charge:${order}`, payload: { order }, in: 0 },
    })),
    ...Array.from({ length: 24 }, (_, index) => ({
      ...{ task: mail, id: `mail:welcome:${index + 1}`, payload: { to: `${index}` }, in: 0 },
      keepFinished: true,
    })),
  ]);
  await Promise.all([scheduler.start(), other.start()]);
  const dashboard = createDashboard({
    ...{ scheduler, audit: () => {} },
    authorize: () => ({ who: 'ada', may: 'admin' }),
  });
  const server = await listen(toNodeListener(dashboard));
  onTestFinished(async () => {
    await dashboard.close();
    await server.close();
    await Promise.all([scheduler.stop({ deadline: 0 }), other.stop({ deadline: 0 })]);
  });
  await until(async () => {
    const [running, finished, failed] = await Promise.all(
      (['running', 'finished', 'failed'] as const).map((state) => scheduler.count({ state })),
    );
    return running === 2 && finished === 24 && failed === 3;
  });
  // Workers say every ten seconds what they have done.
  await until(async () => (await scheduler.workers()).some(({ minutes }) => minutes.length > 0));
  await scheduler.runNow('billing:monthly');
  await until(async () => (await scheduler.history('billing:monthly')).length > 0);
  return { url: `${server.origin}/`, scheduler };
}

await describeInBrowser('the pictures', (browser) => {
  test('of the pages are made, and are there', async () => {
    const { url } = await open();
    for (const [name, { path, ready }] of Object.entries(pictures)) {
      for (const colorScheme of ['light', 'dark'] as const) {
        const made = await visit(
          browser(),
          `${url}${path}`,
          async (page) => {
            await page.getByText('Live', { exact: true }).waitFor();
            await ready(page);
            await page.waitForFunction(() => !document.body.textContent?.includes('Loading…'));
            return page.screenshot();
          },
          { colorScheme, viewport: size, timezoneId: 'America/New_York', locale: 'en-GB' },
        );
        const file = join(folder, `dashboard-${name}-${colorScheme}.png`);
        if (isUpdate) {
          mkdirSync(folder, { recursive: true });
          writeFileSync(file, made);
        }
        expect([file, existsSync(file)]).toEqual([file, true]);
        const kept = readFileSync(file);
        for (const picture of [made, kept]) {
          // Of that size, by the header of a PNG.
          expect([picture.readUInt32BE(16), picture.readUInt32BE(20)]).toEqual(Object.values(size));
          expect(picture.length).toBeLessThan(mostBytes);
        }
      }
    }
  });
});
