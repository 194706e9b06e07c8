import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConformancePlace, ConformanceTarget } from '@sched/core/conformance';
import { LmdbDataStore } from '../src/index.ts';

/** A directory of its own for each case of the kit. */
function create(): ConformancePlace {
  const path = mkdtempSync(join(tmpdir(), 'sched-lmdb-'));
  return {
    connect: (options) => new LmdbDataStore({ path, ...options }),
    process: { module: new URL('connect.ts', import.meta.url).href, argument: path },
    dispose: async () => rmSync(path, { recursive: true, force: true }),
  };
}

export default { create } satisfies ConformanceTarget;
