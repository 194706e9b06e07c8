import type { NewTaskRecord, TaskRecord } from '../data-store.js';
import { isSchedError, SchedError, type SchedErrorCode } from '../errors.js';
import { show } from '../show.js';
import type { CopyConflict } from './options.js';
import type { PatientStore } from './patient-store.js';
import { contentOf, differences, isChanged, isHiddenBy, reasonToLeave } from './records.js';
import type { CopyReport, LeftReason } from './report.js';

/** Errors of a store that are about a task that it does not accept, not about the store itself. */
const refusals: readonly SchedErrorCode[] = [
  'SCHED_PAYLOAD_TOO_LARGE',
  'SCHED_ARGUMENT_INVALID',
  'SCHED_ID_INVALID',
];

/** How often to read and write a task while others change it in the target. */
const editLimit = 10;

/** Assume that a replaced task is resumed up to this much later than the check of its record, in milliseconds. */
const resumeMarginMs = 60_000;

type Insertion = 'inserted' | 'exists' | SchedError;

/** Copies pages of tasks, one after another. Each step is safe to repeat, also by another copy. */
export class PageCopier {
  readonly #from: PatientStore;
  readonly #to: PatientStore;
  readonly #onConflict: CopyConflict;
  readonly #report: CopyReport;

  constructor(from: PatientStore, to: PatientStore, onConflict: CopyConflict, report: CopyReport) {
    this.#from = from;
    this.#to = to;
    this.#onConflict = onConflict;
    this.#report = report;
  }

  async copy(page: readonly TaskRecord[]): Promise<void> {
    const free = await this.#leaveOwned(page);
    if (free.length === 0) return;
    const insertions = await this.#insert(free.map(contentOf));
    const ids = free.map(({ id }) => id);
    const [stored, current] = await Promise.all([
      this.#to.call('get', (store) => store.get(ids)),
      this.#from.call('get', (store) => store.get(ids)),
    ]);
    const stale: string[] = [];
    const conflicts: [task: TaskRecord, stored: TaskRecord][] = [];
    for (const [index, task] of free.entries()) {
      const insertion = insertions[index] ?? 'exists';
      const [there, now] = [stored[index], current[index]];
      if (typeof insertion === 'object') {
        this.#refuse(task.id, insertion);
      } else if (!now || isChanged(now, task)) {
        this.#report.name('changed', task.id);
        if (insertion === 'inserted') stale.push(task.id);
      } else if (differences(there, task).length === 0) {
        this.#report.count(insertion === 'inserted' ? 'inserted' : 'unchanged');
      } else if (insertion === 'exists' && there) {
        conflicts.push([task, there]);
      } else {
        this.#report.name('differing', { id: task.id, members: differences(there, task) });
      }
    }
    if (stale.length > 0) await this.#to.call('remove', (store) => store.remove({ ids: stale }));
    for (const [task, there] of conflicts) await this.#resolve(task, there);
  }

  /** @returns the tasks that may be copied: those without a reason to leave them */
  async #leaveOwned(page: readonly TaskRecord[]): Promise<readonly TaskRecord[]> {
    const isAnyLeased = page.some(({ lease }) => lease !== null);
    const now = isAnyLeased ? await this.#from.call('now', (store) => store.now()) : 0;
    return page.filter((task) => {
      const reason = reasonToLeave(task, now);
      if (reason) this.#leave(task, 'from', reason);
      return !reason;
    });
  }

  /** Inserts all tasks that the target accepts. A refused task does not hold up the others. */
  async #insert(records: readonly NewTaskRecord[]): Promise<readonly Insertion[]> {
    try {
      return await this.#to.call('insert', (store) => store.insert(records));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (records.length === 1) return [error];
      const middle = Math.ceil(records.length / 2);
      const first = await this.#insert(records.slice(0, middle));
      return [...first, ...(await this.#insert(records.slice(middle)))];
    }
  }

  async #resolve(task: TaskRecord, stored: TaskRecord): Promise<void> {
    if (this.#onConflict === 'keep') {
      this.#report.name('kept', task.id);
      return;
    }
    if (this.#onConflict === 'replace') {
      await this.#replace(task, stored);
      return;
    }
    const members = differences(stored, task);
    throw new SchedError(
      'SCHED_TASK_EXISTS',
      `Task ${show(task.id)} is in the store "to" (${this.#to.name}) already, and its ${members.join(' and ')} differ. Remove it there, or copy with another onConflict than "error".`,
      { details: { id: task.id, members } },
    );
  }

  /** Makes a task of the target what it is in the source. Done when reading it back shows this. */
  async #replace(task: TaskRecord, found: TaskRecord): Promise<void> {
    const { id } = task;
    let stored: TaskRecord | undefined = found;
    for (let edits = 0; edits < editLimit; edits++) {
      if (differences(stored, task).length === 0) {
        this.#report.count('replaced');
        return;
      }
      if (stored) {
        const reason = await this.#reasonToKeep(task, stored);
        if (reason) {
          this.#leave(stored, 'to', reason);
          return;
        }
      }
      const refusal = await this.#write(task, stored);
      if (refusal) {
        this.#refuse(id, refusal);
        return;
      }
      [stored] = await this.#to.call('get', (store) => store.get([id]));
    }
    this.#report.name('differing', { id, members: differences(stored, task) });
  }

  /** Why the stored task cannot be replaced: its old state would decide what happens at its next claim. */
  async #reasonToKeep(task: TaskRecord, stored: TaskRecord): Promise<LeftReason | undefined> {
    const now = await this.#to.call('now', (store) => store.now());
    const reason = reasonToLeave({ ...stored, resumedAt: null }, now);
    if (reason) return reason;
    const willResume = stored.paused && !task.paused;
    const resumedAt = willResume ? now + resumeMarginMs : stored.resumedAt;
    return isHiddenBy(task, resumedAt) ? 'resumed' : undefined;
  }

  /** Pauses first and resumes last, so that the task does not run while it is half old and half new. */
  async #write(task: TaskRecord, stored: TaskRecord | undefined): Promise<SchedError | undefined> {
    if (!stored) {
      const [answer] = await this.#insert([contentOf(task)]);
      return typeof answer === 'object' ? answer : undefined;
    }
    const { id, paused, ...change } = contentOf(task);
    const setPaused = () =>
      this.#to.call('setPaused', (store) => store.setPaused({ ids: [id] }, paused));
    if (paused && !stored.paused) await setPaused();
    const { revision } = stored;
    try {
      const answer = await this.#to.call('update', (store) =>
        store.update(id, change, { revision }),
      );
      if (answer === 'updated' && !paused && stored.paused) await setPaused();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return error;
    }
    return undefined;
  }

  #leave(task: TaskRecord, store: 'from' | 'to', reason: LeftReason): void {
    const { id, lease } = task;
    const { owner = null, expiresAt = null } = lease ?? {};
    this.#report.name('left', { id, in: store, reason, owner, expiresAt });
  }

  #refuse(id: string, { code, message }: SchedError): void {
    this.#report.name('refused', { id, code, message });
  }
}

function isRefusal(error: unknown): error is SchedError {
  return isSchedError(error) && refusals.includes(error.code);
}
