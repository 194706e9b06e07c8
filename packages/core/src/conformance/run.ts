import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import type { ConformanceReport, ConformanceResult, ConformanceStore } from './report.js';
import { createReport } from './report.js';
import type {
  ConformanceCase,
  ConformanceLevel,
  ConformancePlace,
  ConformanceTarget,
} from './types.js';

/** The cases of the kit for a test runner, and what became of them. */
export interface ConformanceRecording {
  readonly cases: readonly ConformanceCase[];
  /**
   * The report on the cases that have been run so far.
   *
   * @throws an error that says in one sentence what is wrong, when no place can be made or its store does not open
   */
  report(): Promise<ConformanceReport>;
}

/** Which cases to run, and how. */
export interface ConformanceRunOptions {
  /** Only cases of these levels. Default: all. */
  readonly levels?: readonly ConformanceLevel[];
  /** Only cases with this text in their name, in whatever case of letters. Default: all. */
  readonly only?: string;
  /** How many cases run at the same time. Default 1. */
  readonly concurrency?: number;
  /**
   * How long it may take to make a place, to open and close its store and to remove it, before anything is tested.
   * Default 30,000.
   */
  readonly patienceMs?: number;
  /** Called as each case ends, with how many there are. */
  readonly onCase?: (result: ConformanceResult, total: number) => void;
}

/** What else the kit itself has of a recording. */
interface Recording extends ConformanceRecording {
  /** What has become of the cases so far, by name. */
  readonly results: ReadonlyMap<string, ConformanceResult>;
  /** Asks the store what it is, once. */
  describe(): Promise<ConformanceStore>;
}

/** Notes what becomes of each case. */
export function recordCases(
  target: ConformanceTarget,
  cases: readonly ConformanceCase[],
  patienceMs = 30_000,
): Recording {
  let store: Promise<ConformanceStore> | undefined;
  const describe = () => {
    store ??= describeStore(target, patienceMs);
    return store;
  };
  const results = new Map<string, ConformanceResult>();
  const recorded = cases.map((each) => ({
    ...each,
    run: async () => {
      const begun = performance.now();
      const note = (failure: { message?: string }) => {
        const { name, level, guarantee } = each;
        const ok = failure.message === undefined;
        const ms = Math.round((performance.now() - begun) * 1000) / 1000;
        results.set(name, { name, level, guarantee, ok, ms, ...failure });
      };
      try {
        await each.run();
      } catch (error) {
        note({ message: messageOf(error) });
        throw error;
      }
      note({});
    },
  }));
  return {
    results,
    describe,
    cases: recorded,
    report: async () => {
      const own = cases.flatMap(({ name }) => results.get(name) ?? []);
      return createReport(await describe(), versions(), own, own.length === cases.length);
    },
  };
}

/** Runs cases without a test runner. */
export async function runCases(
  target: ConformanceTarget,
  cases: readonly ConformanceCase[],
  { levels, only = '', concurrency = 1, patienceMs, onCase }: ConformanceRunOptions,
): Promise<ConformanceReport> {
  const recording = recordCases(target, cases, patienceMs);
  // Fails at once where no case could do anything but fail.
  await recording.describe();
  const chosen = recording.cases.filter(
    ({ name, level }) =>
      name.toLowerCase().includes(only.toLowerCase()) && (!levels || levels.includes(level)),
  );
  const waiting = chosen[Symbol.iterator]();
  const work = async () => {
    for (const { name, run } of waiting) {
      await run().catch(() => {});
      const result = recording.results.get(name);
      if (result) onCase?.(result, chosen.length);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return recording.report();
}

/** Makes a place, opens its store and closes it: what has to work before there is anything to test. */
async function describeStore(
  target: ConformanceTarget,
  patienceMs: number,
): Promise<ConformanceStore> {
  const attempt = <T>(what: string, step: () => T | Promise<T>) => within(patienceMs, what, step);
  const place: ConformancePlace = await attempt('A place cannot be made', () => target.create());
  const store = await attempt('The place gives no store', async () => {
    const made = await place.connect({});
    if (typeof made?.open !== 'function' || typeof made.capabilities !== 'object') {
      throw new Error(`connect has to return a DataStore, not ${inspect(made, { depth: 0 })}`);
    }
    return made;
  });
  await attempt('The store does not open', () => store.open());
  // A store may find out only then what its server can do.
  const { name, capabilities } = store;
  await attempt('The store does not close', () => store.close());
  await attempt('The place cannot be removed', () => place.dispose?.());
  return { name, capabilities: { ...capabilities } };
}

/** Takes a step. @throws an error that says what was not possible, and why, or that nothing has happened for so long */
export async function within<T>(ms: number, what: string, step: () => T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`nothing has happened for ${ms / 1000} seconds`);
    timer = setTimeout(() => reject(error), ms);
  });
  try {
    return await Promise.race([(async () => step())(), late]);
  } catch (error) {
    throw new Error(`${what}: ${messageOf(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** What was thrown, which is not always an error. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function versions() {
  const { bun, deno, node } = process.versions;
  const runtime = bun ? `bun ${bun}` : deno ? `deno ${deno}` : `node ${node}`;
  return { core: coreVersion(), runtime, platform: `${process.platform} ${process.arch}` };
}

/** Looks upwards: built, this module lies elsewhere than its source. */
export function coreVersion(): string {
  for (let folder = new URL('.', import.meta.url); ; folder = new URL('..', folder)) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
      if (name === '@sched/core') return version;
    } catch {
      // No package begins here.
    }
    if (folder.pathname === new URL('..', folder).pathname) return 'unknown';
  }
}
