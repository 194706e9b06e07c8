import { request } from 'node:http';
import { type DataStore, every } from '@sched/core';
import { createDashboard } from '@sched/dashboard';
import { toNodeListener } from '@sched/http/node';
import {
  type Browser,
  describeInBrowser,
  type Page,
  violations,
  visit,
} from '@sched-tooling/browser';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import {
  createSite,
  listen,
  pages,
  populate,
  report,
  type Site,
  settled,
  until,
  type WorkerProcess,
} from './site.js';

const schemes = ['light', 'dark'] as const;

const task = (page: Page, id: string) => page.goto(`${page.url().split('#')[0]}#/tasks/${id}`);

const note = (page: Page, text: string) =>
  page.getByTestId('notes').getByText(text, { exact: true }).waitFor();

/** Has a worker last been heard of so long ago, as if that time had passed. */
async function unheardFor(store: DataStore, owner: string, ms: number): Promise<void> {
  const { tasks } = await store.list({ group: 'sched:schedulers', limit: 1000 });
  const [record] = tasks.filter(({ id }) => id.endsWith(owner));
  const { id = '', revision = 0, body = '{}' } = record ?? {};
  const said = JSON.stringify({ ...JSON.parse(body), seenAt: (await store.now()) - ms });
  await store.update(id, { body: said }, { revision });
}

/** What is pressed to get somewhere: Tab, until it has the focus. */
async function tabTo(page: Page, name: string, role: Parameters<Page['getByRole']>[0] = 'button') {
  const wanted = page.getByRole(role, { name, exact: true });
  await wanted.first().waitFor();
  for (let presses = 0; presses < 150; presses++) {
    const hasFocus = await wanted
      .first()
      .evaluate((element) => element === element.ownerDocument.activeElement);
    if (hasFocus) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`The keyboard does not get to ${role} ${name}.`);
}

function testPages(browser: () => Browser, createSiteHere: () => Promise<Site>): void {
  let site: Site;
  let worker: WorkerProcess;

  beforeAll(async () => {
    site = await createSiteHere();
    worker = await populate(site);
  });
  afterAll(() => site?.close());

  test.for(schemes)('every page can be read by everybody in %s colours', async (colorScheme) => {
    await visit(
      browser(),
      site.url,
      async (page) => {
        for (const name of pages) {
          await page.getByRole('navigation').getByRole('link', { name }).click();
          await settled(page, name);
          expect([name, await violations(page)]).toEqual([name, []]);
        }
        for (const id of ['annual-report', 'welcome', 'farewell', 'invoice-1', 'reminder-01']) {
          await task(page, id);
          await settled(page, id);
          expect([id, await violations(page)]).toEqual([id, []]);
        }
        await page.getByRole('button', { name: 'Reschedule' }).click();
        await page.getByTestId('preview').getByText('As it would be').waitFor();
        expect(await violations(page)).toEqual([]);
        await page.keyboard.press('Escape');
        await page.getByRole('button', { name: 'Edit' }).click();
        await page.getByRole('dialog').waitFor();
        expect(await violations(page)).toEqual([]);
      },
      { colorScheme },
    );
  });

  test('fits a telephone, and follows the choice of colours', async () => {
    await visit(
      browser(),
      site.url,
      async (page) => {
        await settled(page, 'Overview');
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        expect(width).toBeLessThanOrEqual(390);
        expect(await violations(page)).toEqual([]);
        const background = () =>
          page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        const light = await background();
        await page.getByLabel('Colours').selectOption('dark');
        expect(await background()).not.toBe(light);
        await page.reload();
        await settled(page, 'Overview');
        expect(await background()).not.toBe(light);
      },
      { viewport: { width: 390, height: 844 }, colorScheme: 'light' },
    );
  });

  test('the overview says what runs, what comes and what has failed', async () => {
    await visit(browser(), site.url, async (page) => {
      await settled(page, 'Overview');
      const running = page.getByTestId('running');
      await running.getByRole('link', { name: 'annual-report' }).waitFor();
      await running.getByText('40 %').waitFor();
      await running.getByText('worker-a').waitFor();
      const upcoming = page.getByTestId('upcoming');
      await upcoming.getByRole('link', { name: 'annual-report' }).first().waitFor();
      const failures = page.getByRole('region', { name: 'Failed for good' });
      await failures.getByText('The printer is on fire').waitFor();
      await page.getByTestId('stores').getByText('Up', { exact: true }).waitFor();
    });
  });

  test('a task is shown with its occurrences in its zone and in that of the reader', async () => {
    await visit(
      browser(),
      `${site.url}#/tasks/welcome`,
      async (page) => {
        await settled(page, 'welcome');
        const rows = page.getByTestId('occurrences').first();
        await rows.getByText('Its zone, Europe/Berlin').waitFor();
        await rows.getByText('Your zone, America/New_York').waitFor();
        expect(await rows.locator('tbody tr:not(.clock-change)').count()).toBe(10);
        await page.getByTestId('payload').getByText('"grace"').waitFor();
        await page.getByTestId('history').getByText('Succeeded').waitFor();
      },
      { timezoneId: 'America/New_York' },
    );
  });

  test('an edit made while the task runs leaves the run alone, and holds for the next', async () => {
    await visit(
      browser(),
      `${site.url}#/tasks/annual-report`,
      async (page) => {
        await settled(page, 'annual-report');
        await page.getByTestId('in-progress').getByText('40 %').waitFor();
        await page.getByTestId('log').getByText('Reading the ledger.').waitFor();

        await page.getByRole('button', { name: 'Edit' }).click();
        await page.getByText('That run goes on as it began.').waitFor();
        await page.getByLabel('Payload (JSON)').fill('{ "year": 2027 }');
        await page.getByRole('button', { name: 'Save' }).click();
        await note(page, 'Changed annual-report.');
        await page.getByTestId('payload').getByText('2027').waitFor();

        await page.getByRole('button', { name: 'Reschedule' }).click();
        await page.getByTestId('timing-kind').selectOption('cron');
        await page.getByTestId('timing-text').fill('61 * * * *');
        await page.getByRole('alert').getByText('61').waitFor();
        expect(await page.getByTestId('save').isDisabled()).toBe(true);
        await page.getByTestId('timing-text').fill('30 6 1 1 *');
        await page.getByTestId('timing-zone').fill('Asia/Tokyo');
        const preview = page.getByTestId('preview');
        await preview.getByText('Its zone, Asia/Tokyo').waitFor();
        await page.getByTestId('save').click();
        await note(page, 'Rescheduled annual-report.');
        await page.getByTestId('trigger-words').getByText('Asia/Tokyo').waitFor();

        await page.getByTestId('in-progress').waitFor();
        worker.release();
        await page.getByTestId('history').getByText('Succeeded').waitFor();
        await page.getByTestId('in-progress').waitFor({ state: 'detached' });
        const edited = await site.scheduler.get('annual-report');
        expect(edited).toMatchObject({ payload: { year: 2027 }, state: 'scheduled' });
        expect(edited?.runAt?.toISOString()).toMatch(/-12-31T21:30:00/);
      },
      { expected: /status of 400/ },
    );
  });

  test('every policy can be edited, and a retry stays as it is but for what is changed', async () => {
    await visit(
      browser(),
      `${site.url}#/tasks/reminder-20`,
      async (page) => {
        await settled(page, 'reminder-20');
        const before = (await site.scheduler.get('reminder-20'))?.policies.retry;
        await page.getByRole('button', { name: 'Edit' }).click();
        await page.getByLabel('Waits between').selectOption('as long each');
        await page.getByLabel('First wait').fill('5s');
        await page.getByLabel('Jitter').fill('0.1');
        await page.getByLabel('After the last').selectOption('pause');
        await page.getByLabel('Deliveries, at most').fill('3');
        await page.getByTestId('edit-delivery').selectOption('atMostOnce');
        await page.getByTestId('save').click();
        await page.getByRole('alert').getByText('contradict each other').waitFor();
        await page.getByTestId('edit-delivery').selectOption('atLeastOnce');
        await page.getByTestId('save').click();
        await note(page, 'Changed reminder-20.');
        const edited = { backoff: 'fixed', minMs: 5000, jitter: 0.1, whenExhausted: 'pause' };
        expect((await site.scheduler.get('reminder-20'))?.policies).toMatchObject({
          ...{ retry: { ...before, ...edited }, maxDeliveries: 3, delivery: 'atLeastOnce' },
        });

        await page.getByRole('button', { name: 'Edit' }).click();
        await page.getByLabel('Retries').fill('0');
        await page.getByTestId('edit-delivery').selectOption('atMostOnce');
        await page.getByTestId('save').click();
        await page.getByTestId('policies').getByText('At most once').waitFor();
        expect((await site.scheduler.get('reminder-20'))?.policies).toMatchObject({
          ...{ retry: { ...before, ...edited, limit: 0 }, delivery: 'atMostOnce' },
        });
      },
      { expected: /status of 400/ },
    );
  });

  test('a task is created, after a look at when it will run', async () => {
    await visit(browser(), `${site.url}#/tasks`, async (page) => {
      await settled(page, 'Tasks');
      await page.getByRole('button', { name: 'New task' }).click();
      expect(await page.getByTestId('save').isDisabled()).toBe(true);
      await page.getByLabel('Definition').selectOption('mail');
      await page.getByTestId('new-id').fill('greeting');
      await page.getByTestId('new-queue').fill('slow');
      await page.getByLabel('Payload (JSON)').fill('{ "to": ');
      await page.getByTestId('timing-text').fill('30 6 1 1 *');
      await page.getByTestId('timing-zone').fill('Asia/Tokyo');
      const preview = page.getByTestId('preview');
      await preview.getByText('Its zone, Asia/Tokyo').waitFor();
      expect(await violations(page)).toEqual([]);
      await page.getByRole('button', { name: 'Create' }).click();
      await page.getByRole('alert').getByText('The payload is not JSON.').waitFor();
      expect(await site.scheduler.get('greeting')).toBeUndefined();
      await page.getByLabel('Payload (JSON)').fill('{ "to": "ada" }');
      await page.getByRole('button', { name: 'Create' }).click();
      await note(page, 'Created greeting.');
      await settled(page, 'greeting');
      const created = await site.scheduler.get('greeting');
      expect(created).toMatchObject({ name: 'mail', queue: 'slow', payload: { to: 'ada' } });
      expect(created?.runAt?.toISOString()).toMatch(/-12-31T21:30:00/);
    });
  });

  test('a server without task definitions offers to create none', async () => {
    const dashboard = createDashboard({
      ...{ store: site.store, audit: () => {} },
      authorize: () => ({ who: 'ada', may: 'admin' }),
    });
    const server = await listen(toNodeListener(dashboard));
    onTestFinished(async () => {
      await dashboard.close();
      await server.close();
    });
    await visit(browser(), `${server.origin}/`, async (page) => {
      await page.getByTestId('stores').getByText('Up', { exact: true }).waitFor();
      await page.getByRole('navigation').getByRole('link', { name: 'Tasks' }).click();
      await settled(page, 'Tasks');
      await page.getByRole('button', { name: 'Pause all' }).waitFor();
      expect(await page.getByRole('button', { name: 'New task' }).count()).toBe(0);
    });
  });

  test('a worker that is killed is shown as gone, and another takes its work over', async () => {
    const doomed = await site.work('worker-doomed', ['doomed']);
    const { scheduler, store } = site;
    await scheduler.schedule(report, {
      ...{ id: 'orphan', payload: { year: 1 }, queue: 'doomed' },
      trigger: every('1h', { start: new Date(Date.now() + 500) }),
    });
    await visit(browser(), `${site.url}#/workers`, async (page) => {
      await settled(page, 'Workers');
      const panel = page.getByTestId('worker').filter({ hasText: 'worker-doomed' });
      await panel.getByText('There', { exact: true }).waitFor();
      await panel.getByText(`process ${doomed.process.pid}`).waitFor();
      await until(async () => (await scheduler.get('orphan'))?.state === 'running');
      await doomed.kill();

      const heir = await site.work('worker-heir', ['doomed']);
      await until(async () => (await scheduler.get('orphan'))?.lease?.owner === 'worker-heir');
      await task(page, 'orphan');
      await page.getByTestId('in-progress').getByText('worker-heir').waitFor();
      heir.release();
      await until(async () => (await scheduler.history('orphan')).length > 0);
      await page.reload();
      const run = page.getByTestId('history').locator('tr', { hasText: 'worker-heir' });
      await run.getByText('Succeeded').waitFor();

      await page.getByRole('navigation').getByRole('link', { name: 'Workers' }).click();
      await unheardFor(store, 'worker-doomed', 70_000);
      await page.reload();
      // A worker that has no news is as quiet.
      await panel.getByText(/^1 min \d+ s ago$/).waitFor();
      await panel.getByText('There', { exact: true }).waitFor();
      await unheardFor(store, 'worker-doomed', 100_000);
      await panel.getByText('Gone', { exact: true }).waitFor();
      const other = page.getByTestId('worker').filter({ hasText: 'worker-heir' });
      await other.getByText('There', { exact: true }).waitFor();
      expect(await violations(page)).toEqual([]);
    });
  });

  test('failures of which the server has not seen all are told as such, and looked for on demand', async () => {
    const dashboard = createDashboard({
      ...{ scheduler: site.scheduler, audit: () => {}, limits: { tasksPerRequest: 1 } },
      authorize: () => ({ who: 'ada', may: 'read' }),
    });
    const server = await listen(toNodeListener(dashboard));
    onTestFinished(async () => {
      await dashboard.close();
      await server.close();
    });
    await visit(browser(), `${server.origin}/#/failures`, async (page) => {
      await settled(page, 'Failures');
      const group = page.getByTestId('failure').filter({ hasText: 'The printer is on fire' });
      await group.getByText('1 of invoice').waitFor();
      await page.getByText('Not all tasks have been looked at').waitFor();
      await page.getByTestId('more').click();
      await group.getByText('2 of invoice').waitFor();
      for (const id of ['invoice-1', 'invoice-2'])
        await group.getByRole('link', { name: id }).waitFor();
      await page.getByTestId('more').waitFor({ state: 'detached' });
      await page.getByRole('navigation').getByRole('link', { name: 'Tasks' }).click();
      await settled(page, 'Tasks');
      // Whoever may only read is offered nothing else.
      expect(await page.getByRole('button', { name: /New task|Pause|Remove/ }).count()).toBe(0);
      expect(await violations(page)).toEqual([]);
    });
  });

  test('failures are retried all at once, after a count', async () => {
    await visit(browser(), `${site.url}#/failures`, async (page) => {
      await settled(page, 'Failures');
      const group = page.getByTestId('failure').filter({ hasText: 'The printer is on fire' });
      await group.getByRole('button', { name: 'Retry all' }).click();
      await page.getByTestId('bulk-count').getByText('2 tasks').waitFor();
      await page.getByTestId('bulk-confirm').click();
      await note(page, 'Retried 2 tasks.');
      await until(async () => (await site.scheduler.history('invoice-1')).length === 2);
      await page.getByRole('navigation').getByRole('link', { name: 'Audit' }).click();
      const entry = page.getByTestId('audit').locator('tbody tr', { hasText: '2 tasks' });
      await entry.first().getByText('ada').waitFor();
    });
  });

  test('the main actions take no more than a keyboard', async () => {
    await visit(browser(), site.url, async (page) => {
      await settled(page, 'Overview');
      await page.keyboard.press('Tab');
      await tabTo(page, 'Skip to the content');
      await page.keyboard.press('Enter');
      await page.waitForFunction(() => document.activeElement?.id === 'title');

      await tabTo(page, 'Tasks', 'link');
      await page.keyboard.press('Enter');
      await settled(page, 'Tasks');
      await page.waitForFunction(() => document.activeElement?.id === 'title');
      await tabTo(page, 'Id begins with', 'textbox');
      await page.keyboard.type('reminder-0');
      await page.getByText('9 tasks shown, that is all').waitFor();

      await tabTo(page, 'Select reminder-03', 'checkbox');
      await page.keyboard.press('Space');
      await page.keyboard.press('Shift+Tab');
      await tabTo(page, 'Pause');
      await page.keyboard.press('Enter');
      await page.getByTestId('bulk-count').getByText('1 task').waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      await page.waitForFunction(() => document.activeElement?.textContent === 'Pause');
      await page.keyboard.press('Enter');
      await page.getByTestId('bulk-count').waitFor();
      await tabTo(page, 'Pause (1)');
      await page.keyboard.press('Enter');
      await note(page, 'Paused 1 task.');
      expect(await site.scheduler.get('reminder-03')).toMatchObject({ isPaused: true });
      await tabTo(page, 'Undo');
      await page.keyboard.press('Enter');
      await note(page, 'Resumed 1 task.');
      expect(await site.scheduler.get('reminder-03')).toMatchObject({ isPaused: false });

      await tabTo(page, 'reminder-04', 'link');
      await page.keyboard.press('Enter');
      await settled(page, 'reminder-04');
      await tabTo(page, 'Run now');
      await page.keyboard.press('Enter');
      await note(page, 'Started reminder-04.');
      await tabTo(page, 'Remove');
      await page.keyboard.press('Enter');
      await tabTo(page, 'Remove (1)');
      await page.keyboard.press('Enter');
      await settled(page, 'Tasks');
      expect(await site.scheduler.get('reminder-04')).toBeUndefined();
    });
  });

  test('works below another path, behind a proxy', async () => {
    const { port } = new URL(site.url);
    const proxy = await listen((req, res) => {
      const path = req.url?.replace(/^\/internal\/tools\//, '/sched/');
      const headers = { ...req.headers, host: `127.0.0.1:${port}` };
      const onward = request({ host: '127.0.0.1', port, path, method: req.method, headers });
      onward.on('response', (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(res);
      });
      onward.on('error', () => res.destroy());
      res.on('close', () => onward.destroy());
      req.pipe(onward);
    });
    try {
      await visit(browser(), `${proxy.origin}/internal/tools/`, async (page) => {
        await settled(page, 'Overview');
        await task(page, 'reminder-10');
        await settled(page, 'reminder-10');
        await page.getByRole('button', { name: 'Pause' }).click();
        await note(page, 'Paused reminder-10.');
        // Told by the server, without anything that the page did.
        await site.scheduler.resume('reminder-10');
        await page.getByRole('button', { name: 'Pause' }).waitFor();
      });
    } finally {
      await proxy.close();
    }
  });
}

await describeInBrowser('the dashboard over SQLite', (browser) => {
  testPages(browser, () => createSite());
});

await describeInBrowser(
  'the dashboard',
  (browser, postgres) => testPages(browser, () => createSite(postgres)),
  'postgres',
);
