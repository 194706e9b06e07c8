import type { Caller, Right } from './caller.js';
import type { TaskView } from './views.js';

/** One change, or one that failed: who made it, what it was, when, and what was there before and after. */
export interface AuditEntry {
  /** ISO 8601, by the clock of this process. */
  readonly at: string;
  readonly who: string;
  readonly may: Right;
  /** The operation, as the OpenAPI document names it: `pauseTask`. */
  readonly action: string;
  /** The alias of the store; null for the default one. */
  readonly store: string | null;
  /** The task; null for an action on many. */
  readonly id: string | null;
  /** For an action on many: which tasks were asked for, and how many changed. */
  readonly selection?: unknown;
  readonly changed?: number;
  /** The task, its payload redacted; null when there is none. */
  readonly before: TaskView | null;
  readonly after: TaskView | null;
  /** `ok`, or the code of the error that ended it. What it had changed until then stays changed. */
  readonly outcome: string;
}

/** Where audit entries go. It is called after the change and before the answer, which waits for it. */
export type AuditSink = (entry: AuditEntry) => unknown;

/** How many entries to keep for `GET /audit`. */
const keptEntries = 200;

export class AuditLog {
  readonly #kept: AuditEntry[] = [];
  readonly #sink: AuditSink;

  constructor(sink: AuditSink = writeToConsole) {
    this.#sink = sink;
  }

  /** The newest entries of this process, newest first. */
  latest(limit: number): readonly AuditEntry[] {
    return this.#kept.slice(-limit).reverse();
  }

  async write({ who, may }: Caller, entry: Omit<AuditEntry, 'at' | 'who' | 'may'>): Promise<void> {
    const full: AuditEntry = { at: new Date().toISOString(), who, may, ...entry };
    this.#kept.push(full);
    if (this.#kept.length > keptEntries) this.#kept.shift();
    try {
      await this.#sink(full);
    } catch (error) {
      // The change has been made and cannot be taken back, so its entry must not be lost.
      logError('The audit sink failed', error);
      writeToConsole(full);
    }
  }
}

function writeToConsole(entry: AuditEntry): void {
  // biome-ignore lint/suspicious/noConsole: the log is where the entries go unless a sink is given
  console.info(JSON.stringify({ audit: entry }));
}

/** Tells the operator of an error that the caller is not told of. */
export function logError(what: string, error: unknown): void {
  // biome-ignore lint/suspicious/noConsole: whoever runs the server has to learn of it
  console.error(`@sched/http: ${what}:`, error);
}
