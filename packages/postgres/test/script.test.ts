import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describeOn } from '@sched-tooling/services';
import { expect, test } from 'vitest';
import { workbench } from './support.js';

/** Runs a script in a process of its own, which has to end by itself. Gives what it printed. */
async function run(url: string, schema: string, script: string): Promise<string> {
  const from = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  // A pool otherwise drops idle connections after ten seconds, and every script ends then.
  const connection = { connectionString: url, idleTimeoutMillis: 0 };
  const text = `
    import { createScheduler, defineTask } from ${from('../../core/dist/index.js')};
    import { PostgresDataStore } from ${from('../dist/index.js')};
    const store = new PostgresDataStore(${JSON.stringify({ connection, schema })});
    ${script}
  `;
  const flags = ['--input-type=module', '--eval', text];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { timeout: 120_000 });
  return stdout.trim();
}

await describeOn('postgres', 'a script', ({ url }) => {
  const bench = workbench(url);

  test('that only schedules ends by itself, and one that runs tasks does when it is stopped', async () => {
    const schema = bench.schema();
    const scheduled = await run(
      url,
      schema,
      `
        const task = defineTask('work');
        const scheduler = createScheduler({ store, tasks: [task] });
        console.log((await scheduler.schedule(task, { id: 'a', in: '1s' })).outcome);
      `,
    );
    expect(scheduled).toBe('created');
    const ran = await run(
      url,
      schema,
      `
        const task = defineTask('work', {
          handler: ({ task }) => {
            console.log('ran', task.id);
            void scheduler.stop();
          },
        });
        const scheduler = createScheduler({ store, tasks: [task] });
        await scheduler.start();
      `,
    );
    expect(ran).toBe('ran a');
  });
});
