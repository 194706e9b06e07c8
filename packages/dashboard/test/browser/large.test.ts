import { type Browser, describeInBrowser, visit } from '@sched-tooling/browser';
import { expect, onTestFinished, test } from 'vitest';
import { createSite, mail, type Site } from './site.js';

const count = 100_000;
const batch = 2_000;

/** More tasks than a page could hold. */
async function fill({ scheduler }: Site): Promise<void> {
  const at = new Date(Date.now() + 86_400_000);
  for (let first = 0; first < count; first += batch) {
    const ids = Array.from({ length: batch }, (_, index) => String(first + index).padStart(6, '0'));
    await scheduler.scheduleMany(
      ids.map((id) => ({ task: mail, id: `task-${id}`, payload: { to: id }, at })),
    );
  }
}

async function testSize(browser: () => Browser, site: Site): Promise<void> {
  onTestFinished(() => site.close());
  await fill(site);
  await visit(browser(), `${site.url}#/tasks`, async (page) => {
    // Generous, for machines that are busy: reading all of them would take far longer.
    page.setDefaultTimeout(10_000);
    const sizes: Promise<number>[] = [];
    page.on('response', (response) => {
      if (!response.headers()['content-type']?.includes('json')) return;
      sizes.push(response.body().then((body) => body.length));
    });
    const rows = page.getByTestId('tasks').locator('tbody tr');
    await page.getByText('50 tasks shown').waitFor();
    expect(await rows.count()).toBe(50);
    await page.getByTestId('more').click();
    await page.getByText('100 tasks shown').waitFor();
    expect(await rows.count()).toBe(100);

    await page.getByLabel('Id begins with').fill('task-0000');
    await rows.filter({ hasText: 'task-000042' }).waitFor();

    for (const name of ['Overview', 'Queues', 'Failures', 'Workers']) {
      await page.getByRole('navigation').getByRole('link', { name }).click();
      await page.getByRole('heading', { level: 1, name }).waitFor();
      await page.waitForFunction(() => !document.body.textContent?.includes('Loading…'));
      expect(await page.evaluate(() => document.querySelectorAll('*').length)).toBeLessThan(3000);
    }
    // Some hundred tasks, each time that something is read.
    expect(Math.max(...(await Promise.all(sizes)))).toBeLessThan(500_000);

    await page.goto(`${site.url}#/tasks`);
    await page.getByRole('button', { name: 'Pause all' }).click();
    await page
      .getByTestId('bulk-count')
      .getByText(/^[\d,]+ (or more )?tasks$/)
      .waitFor();
    await page.keyboard.press('Escape');
    expect(await site.scheduler.count({ state: 'paused' })).toBe(0);
  });
}

const title = `the dashboard of ${count} tasks`;

await describeInBrowser(`${title}, in SQLite,`, (browser) => {
  test('shows them page by page', async () => testSize(browser, await createSite()));
});

await describeInBrowser(
  title,
  (browser, postgres) => {
    test('shows them page by page', async () => testSize(browser, await createSite(postgres)));
  },
  'postgres',
);
