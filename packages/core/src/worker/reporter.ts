import type { TaskRecord } from '../data-store.js';
import { readBody, writeBody } from '../record.js';
import type { StoreAccess } from '../store-access.js';
import type { WorkerContext } from './context.js';
import type { HeldTask } from './held-task.js';

/** How long to collect what handlers tell before it is written. */
const collectMs = 1000;
/** How much longer than writing took to wait before the next, so that it never takes more than a tenth of the time. */
const restFactor = 10;

/**
 * Writes into the records of running tasks what their handlers tell, for others to see. Nothing is repeated, and nothing
 * depends on it: the settlement of a run has all of it again.
 */
export class Reporter {
  readonly #access: StoreAccess;
  readonly #context: WorkerContext;
  readonly #changed = new Set<HeldTask>();
  #timer: unknown;
  #isStopped = false;

  constructor(access: StoreAccess, context: WorkerContext) {
    this.#access = access;
    this.#context = context;
  }

  /** The handler of this task has told something. */
  note(held: HeldTask): void {
    this.#changed.add(held);
    this.#writeIn(collectMs);
  }

  stop(): void {
    this.#isStopped = true;
    this.#context.clock.clearTimeout(this.#timer);
  }

  #writeIn(delayMs: number): void {
    if (this.#isStopped || this.#timer !== undefined) return;
    this.#timer = this.#context.clock.setTimeout(() => void this.#write(), delayMs);
  }

  async #write(): Promise<void> {
    const { clock } = this.#context;
    const begunAt = clock.elapsed();
    const tasks = [...this.#changed].filter(({ phase, isLost }) => phase === 'running' && !isLost);
    this.#changed.clear();
    try {
      const ids = tasks.map(({ claim }) => claim.record.id);
      const records =
        ids.length > 0 ? await this.#access.call('get', (store) => store.get(ids)) : [];
      for (const [index, held] of tasks.entries()) await this.#writeOne(held, records[index]);
    } catch {
      // A store that does not answer is noticed by calls that matter.
    }
    this.#timer = undefined;
    const restMs = (clock.elapsed() - begunAt) * restFactor;
    if (this.#changed.size > 0) this.#writeIn(Math.max(collectMs, restMs));
  }

  async #writeOne(held: HeldTask, record: TaskRecord | undefined): Promise<void> {
    const { run, claim } = held;
    if (!run || record?.lease?.token !== claim.token) return;
    const { id, revision } = record;
    const { token } = run.claim;
    const body = writeBody({ ...readBody(record.body), report: { token, ...run.report } });
    await this.#access.call('update', (store) => store.update(id, { body }, { revision }));
  }
}
