// The pages over stores that can do less than those on which all else is tested.

import { describeInBrowser, visit } from '@sched-tooling/browser';
import { expect, onTestFinished, test } from 'vitest';
import { createSite, pages, populate, settled } from './site.js';

for (const name of ['mysql', 'redis']) {
  await describeInBrowser(
    `the dashboard on ${name}`,
    (browser, server) => {
      test('shows every page, and asks for nothing that the store cannot do', async () => {
        const site = await createSite(server);
        onTestFinished(() => site.close());
        expect(site.store.capabilities.latestHistory).toBe(false);
        await populate(site);
        await visit(browser(), site.url, async (page) => {
          await settled(page, 'Overview');
          const recent = page.getByTestId('recent');
          await recent.getByText('the last of each task').waitFor();
          await recent.getByRole('link', { name: 'invoice-1' }).waitFor();
          for (const heading of pages) {
            await page.getByRole('navigation').getByRole('link', { name: heading }).click();
            await settled(page, heading);
          }
          for (const id of ['annual-report', 'welcome', 'invoice-1', 'reminder-01']) {
            await page.goto(`${site.url}#/tasks/${id}`);
            await settled(page, id);
          }
          await page.getByTestId('payload').getByText('ada').waitFor();
        });
      });
    },
    name,
  );
}
