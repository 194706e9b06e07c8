import type {
  DataStore,
  LeaseRef,
  NewTaskRecord,
  TaskRecord,
  TaskSelector,
} from '../data-store.js';
import type { StoreLimits } from './limits.js';
import type { Watcher } from './watcher.js';

/** Has something done when the store is closed, or cannot be opened after all: what was said last is done first. */
export type AtEnd = (end: () => unknown) => void;

/** What an edit replaces. */
export type TaskChange = Partial<Omit<NewTaskRecord, 'id' | 'paused'>>;

/**
 * What a store does while it is open, or within a transaction of the user's: the private half of a {@link DataStore},
 * each call meaning what the contract says. {@link AdapterStore} is the public half, and makes sure of the following
 * before it calls.
 *
 * - The store is open, and no list is empty.
 * - All texts and bodies are within {@link StoreCalls.limits}.
 * - Where there is a limit to how many items one call takes, no call has more, and no two items of one are about the same
 *   task. What is more comes in several calls, one after another.
 * - The history of settlements is empty where none is to be kept, and no more of it is asked for than is kept.
 */
export interface StoreCalls
  extends Pick<
      DataStore,
      'now' | 'insert' | 'list' | 'count' | 'remove' | 'claim' | 'settle' | 'release' | 'history'
    >,
    Partial<Pick<DataStore, 'latestHistory'>> {
  readonly limits?: StoreLimits;
  /** There where the database can tell. It is told what is claimed, and closed before all else. */
  readonly watcher?: Pick<Watcher, 'note' | 'watch' | 'close'> | undefined;
  /** The tasks of these ids, of which none comes twice; in any order. */
  read(ids: readonly string[]): Promise<readonly TaskRecord[]>;
  /** @param at the time of the call, where it is one of several */
  setPaused(selector: TaskSelector, paused: boolean, at?: number): Promise<number>;
  /** @param at the time of the call, where it is one of several */
  extend(
    leases: readonly LeaseRef[],
    leaseMs: number,
    at?: number,
  ): Promise<readonly (number | 'lost')[]>;
  /** As {@link DataStore.update}. */
  update(
    id: string,
    change: TaskChange,
    revision: number,
  ): Promise<'updated' | 'conflict' | 'missing'>;
}
