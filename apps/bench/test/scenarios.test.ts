import { expect, test } from 'vitest';
import { ownEntries } from '../src/contenders/index.ts';
import { databaseNamed } from '../src/databases/index.ts';
import { measure } from '../src/run.ts';
import { scenarioOf } from '../src/scenarios/databases.ts';
import { workloads } from '../src/workloads/index.ts';

/** Runs a workload of a few tasks once, on a database that needs no server. */
async function run(databaseName: string, workloadName: string, scale = 0.002) {
  const workload = workloads.find(({ name }) => name === workloadName);
  if (!workload) throw new Error(`There is no workload ${workloadName}.`);
  const scenario = scenarioOf(databaseNamed(databaseName), workload, scale, ownEntries);
  const { failures, rows } = await measure(scenario, 1, scale, () => {});
  expect(failures).toEqual({});
  return rows;
}

test('ours and the bare loop drain an SQLite file, in processes of their own', async () => {
  const rows = await run('sqlite', 'drain');
  expect(new Set(rows.map(({ variant }) => variant))).toEqual(
    new Set(['sched', 'sched, no history', 'bare loop']),
  );
  expect(new Set(rows.map(({ figure }) => figure))).toEqual(
    new Set([
      ...['bulk (tasks/s)', 'bulk, CPU in Node (µs/task)'],
      ...['cold drain (tasks/s)', 'cold drain, CPU in Node (µs/task)'],
      ...['drain (tasks/s)', 'drain, CPU in Node (µs/task)'],
    ]),
  );
  for (const { figure, values } of rows.filter(({ figure: name }) => name.includes('tasks/s'))) {
    expect(values.length, figure).toBe(1);
    expect(values[0], figure).toBeGreaterThan(0);
  }
});

test.for(['add', 'backlog', 'mixed'])('memory has figures for: %s', async (workload) => {
  const rows = await run('memory', workload);
  expect(rows.length).toBeGreaterThan(0);
  for (const { figure, median } of rows) expect(median, figure).not.toBeNaN();
});
