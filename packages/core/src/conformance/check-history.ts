import type { DeclaredTask, HistoryEvent } from './run-history.js';
import { TaskStory } from './task-story.js';
import type { Guarantee } from './types.js';

/** A promise that was broken. */
export interface Violation {
  readonly guarantee: Guarantee;
  /** The task, or the worker. */
  readonly id: string;
  /** What happened to it, as a sentence that goes on from its id. */
  readonly sentence: string;
}

export type Complain = (guarantee: Guarantee, sentence: string) => void;

/** An event about a task. */
export type TaskEvent = Exclude<HistoryEvent, { type: 'refused' }>;

/**
 * Judges what became of tasks by what users are promised, whoever ran them and however they died.
 *
 * @param history everything that was seen, in the order in which it happened; `recorded` outcomes of a task in the
 *   order of its history, oldest first, and after the ends of their runs
 * @param declared what was to happen to the tasks that were there from the start; one that is not among them, and is
 *   not `declared` in the history, must not run
 * @returns what contradicts the promises; nothing where all were kept
 */
export function checkHistory(
  history: readonly HistoryEvent[],
  declared: readonly DeclaredTask[],
): Violation[] {
  const violations: Violation[] = [];
  const complainOf =
    (id: string): Complain =>
    (guarantee, sentence) =>
      violations.push({ guarantee, id, sentence });
  const tasks = new Map<string, TaskStory>();
  const isThere = (id: string) => tasks.get(id)?.isThere ?? true;
  for (const task of declared) tasks.set(task.id, new TaskStory(task, isThere));
  const leases = new Leases();
  for (const event of history) {
    if (event.type === 'refused') {
      judgeRefusal(event, complainOf(event.owner));
      continue;
    }
    const { id, type } = event;
    const complain = complainOf(id);
    const task = tasks.get(id);
    if (task) {
      leases.judge(event, complain);
      task.note(event, complain);
    } else if (type === 'declared') tasks.set(id, new TaskStory(event, isThere));
    else complain('G1', `is ${type}, and was never declared`);
  }
  for (const [id, task] of tasks) task.judge(complainOf(id));
  return violations;
}

/** Stores may fail while they cannot be reached, and only so. */
function judgeRefusal(
  { call, code }: Extract<HistoryEvent, { type: 'refused' }>,
  complain: Complain,
): void {
  if (code === 'SCHED_STORE_UNAVAILABLE' || code === 'SCHED_STORE_TIMEOUT') return;
  complain('G8', `was refused ${call} with ${code}`);
}

/** One owner at a time: tokens grow, no lease is given out while another is live, and runs need one. */
class Leases {
  readonly #highest = new Map<string, number>();
  readonly #live = new Map<string, { readonly token: number; readonly expiresAt: number }>();
  readonly #started = new Map<string, number>();
  /** The highest tokens of tasks that were removed, of which their workers need not know. */
  readonly #removed = new Map<string, number>();
  #hasClaims = false;

  judge(event: TaskEvent, complain: Complain): void {
    if (event.type === 'removed') {
      this.#live.delete(event.id);
      this.#removed.set(event.id, this.#highest.get(event.id) ?? 0);
    }
    if (!('token' in event) || event.token === undefined) return;
    const { token } = event;
    const id = ('child' in event && event.child) || event.id;
    const live = this.#live.get(id);
    if (event.type === 'claimed') {
      this.#hasClaims = true;
      if (token <= (this.#highest.get(id) ?? 0)) {
        complain('G2', `was claimed under token ${token}, and had a later one`);
      }
      if (live && live.expiresAt > event.at) {
        complain('G2', `was claimed under token ${token} while ${live.token} was live`);
      }
      this.#highest.set(id, token);
      this.#live.set(id, event);
    } else if (event.type === 'extended') {
      if (live?.token === token) this.#live.set(id, event);
      else complain('G2', `had its lease extended under token ${token}, which was not valid`);
    } else if (event.type === 'freed') {
      if (live?.token === token) this.#live.delete(id);
      else complain('G2', `was given up under token ${token}, which was not valid`);
    } else if (event.type === 'started') {
      const last = this.#started.get(id) ?? 0;
      if (token === last) complain('G2', `began twice under token ${token}`);
      if (token < last) complain('G2', `began under token ${token} after it had under ${last}`);
      this.#started.set(id, Math.max(token, last));
      const { at } = event;
      const isOfRemoved = token <= (this.#removed.get(id) ?? 0);
      if (!this.#hasClaims || at === undefined || isOfRemoved) return;
      if (live?.token !== token || live.expiresAt <= at) {
        complain('G2', `began under token ${token}, which was not valid`);
      }
    }
  }
}
