import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { describeStores } from '../src/stores.js';
import { Workers } from '../src/workers.js';

await describeStores(['sqlite'], 'workers', (sqlite) => {
  test('can be stopped before it was noticed that one of them is dead', async () => {
    const journals = mkdtempSync(join(tmpdir(), 'sched-matrix-'));
    const place = await sqlite.create();
    const workers = new Workers(place.process, journals);
    onTestFinished(async () => {
      await workers.end();
      await place.dispose();
      rmSync(journals, { recursive: true });
    });
    workers.start();
    workers.start();
    await vi.waitFor(() => {
      workers.replaceOne();
      expect(workers.killed).toBe(1);
    }, 60_000);
    // It dies while this process is busy.
    execFileSync(process.execPath, ['--version']);
    await workers.stop();
    expect(workers.problems).toEqual([]);
  });
});
