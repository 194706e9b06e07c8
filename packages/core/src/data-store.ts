/**
 * The contract between @sched/core and a database.
 *
 * # What a store holds
 *
 * A task is one small record: an *envelope* of scalars that the store compares and indexes, and a *body*, a JSON text
 * that the core writes and the store keeps without reading it. All scheduling logic is in the core. A store never
 * computes an occurrence, never retries anything and never decides that a task is done. It finds the tasks that need
 * attention, hands each to one owner at a time, and records what that owner decided.
 *
 * # The one index
 *
 * Every record has one derived moment, `wakeAt`: the next time that somebody must look at it.
 *
 * ```text
 * status is not 'scheduled'  →  null
 * paused                     →  null
 * leased                     →  lease.expiresAt (see Time for what a store without a clock adds)
 * otherwise                  →  runAt
 * ```
 *
 * So one range scan, `wakeAt <= now`, finds both the tasks that are due and those whose worker died. It uses one
 * ordered index, on `(queue, wakeAt)`. Records whose `wakeAt` is null are not in that index, so a hundred thousand
 * paused tasks cost a claim nothing. A store may keep `wakeAt` in a column or derive it. Callers see it in every
 * {@link TaskRecord}.
 *
 * # Time
 *
 * Moments are integer milliseconds since the Unix epoch, UTC. *Now* is always the store's own clock, read inside the
 * call. It is never the caller's clock, so it does not matter if the workers' clocks are hours apart. Within one call,
 * now is one value. A store takes an optional `clock` when it is created, and then uses it instead of its own in every
 * statement. This is how the conformance kit moves time without sleeping.
 *
 * Some databases have no clock that a store can read, so there are only the clocks of the processes. Such a store says
 * how far any two of these may differ, and adds that to every lease. `expiresAt` is what the owner is told, by the
 * owner's clock. For others the lease is over only that much later, and `wakeAt` is that later moment. With an injected
 * clock there is no such difference, unless it is asked for.
 *
 * Boundaries: a task is due when `wakeAt <= now`. A lease is live while `now < expiresAt`. In the very millisecond in
 * which it expires, the lease is over and the task is due.
 *
 * # Tokens and revisions
 *
 * `token` fences *ownership*: every claim of a task gives it a token greater than any that this id ever had. This holds
 * across removal and re-creation, within one millisecond, and under a clock that stands still. A caller with any other
 * token than the current lease's is a stale owner, and changes nothing.
 *
 * `revision` fences *edits*: {@link DataStore.update} and {@link DataStore.settle} give the record a revision that this
 * id never had before, even across re-creation. Every other call leaves it as it is. A caller with any other revision
 * than the current one has decided on an outdated record, and changes nothing.
 *
 * A single counter for the whole store, raised for each token and each revision, meets both rules.
 *
 * # Faults
 *
 * Any call can fail, hang, or be applied and lose its answer. The caller may then make it again. Every call is safe to
 * repeat; each one says what a repeated call answers. A call that rejects has been applied as a whole or not at all.
 * For a call that takes several items, this holds for each item. The items of one call are handled in the given order,
 * so two items about one task mean the same as in two calls.
 *
 * Calls reject with a `SchedError`: `SCHED_STORE_UNAVAILABLE` when the database could not be reached or failed (the
 * driver's error is the `cause`), `SCHED_STORE_CLOSED` before `open` and after `close`, and the codes that each call
 * lists. Core retries the first of these, and calls that do not answer in time; no others.
 *
 * # Limits
 *
 * A store accepts ids of up to 300 bytes of UTF-8 and compares them byte by byte: `a`, `A` and `á` are three ids, and a
 * trailing space counts. The same goes for names, queues and groups, of up to 255 bytes. Its limit for bodies is at
 * least 256 KiB. Any call with a body over that limit fails with `SCHED_PAYLOAD_TOO_LARGE` before it stores anything.
 *
 * Not every database can hold half of a surrogate pair, or the character 0. A call with a text that the store cannot
 * hold fails with `SCHED_ARGUMENT_INVALID` before it stores anything. A call that only names tasks may find none
 * instead. A store never takes such a text for another one.
 *
 * @module
 */

/** `scheduled`: has or will have a next run. `finished` and `failed`: kept for reading, never claimed. */
export type TaskStatus = 'scheduled' | 'finished' | 'failed';

/** Time-limited ownership of a task. */
export interface Lease {
  /** Fences everything done under this lease. */
  readonly token: number;
  /** Who holds the lease: free text for operators. Only the token decides ownership. */
  readonly owner: string;
  /** The first moment at which the lease is over. */
  readonly expiresAt: number;
}

/** What the core writes when it creates a task. */
export interface NewTaskRecord {
  readonly id: string;
  /** The task definition that handles it. */
  readonly name: string;
  readonly queue: string;
  readonly group: string | null;
  readonly status: TaskStatus;
  readonly paused: boolean;
  /** When the task should next run; null when `status` is not `scheduled`. */
  readonly runAt: number | null;
  /** JSON text that the core writes. The store returns it byte for byte. */
  readonly body: string;
}

/** A stored task: the envelope and the body. Always a snapshot; changing it changes nothing in the store. */
export interface TaskRecord extends NewTaskRecord {
  /** When the task was last resumed after a pause, or null if it never was. */
  readonly resumedAt: number | null;
  /** The current lease, live or run out, until the task is settled, released or claimed again. */
  readonly lease: Lease | null;
  /** Claims since the last settlement, minus those released. More than 1 means that an owner vanished. */
  readonly deliveries: number;
  readonly revision: number;
  /** See the top of this page. */
  readonly wakeAt: number | null;
}

/** A task that has just been claimed. */
export interface ClaimedTask extends TaskRecord {
  readonly lease: Lease;
  /** The owner whose lease on this task ran out, or null if the task was simply due. */
  readonly lapsedOwner: string | null;
}

export interface ClaimRequest {
  /** In strict order: nothing is taken from a queue while an earlier one still has a due task. No duplicates. */
  readonly queues: readonly string[];
  /** The most tasks to take, at least 1. */
  readonly limit: number;
  readonly owner: string;
  /** How long the leases last from now, at least 1. */
  readonly leaseMs: number;
}

export interface ClaimResult {
  /** In the order in which they were taken. */
  readonly tasks: readonly ClaimedTask[];
  /** The store's time of this claim. */
  readonly now: number;
  /**
   * The earliest `wakeAt` in these queues after this claim, including the new leases; null when there is none. At or
   * before `now` when `limit` left due tasks behind. May be too early, which only wastes a claim, but never too late.
   */
  readonly nextWakeAt: number | null;
}

/** Names a lease to extend. */
export interface LeaseRef {
  readonly id: string;
  readonly token: number;
}

/** Names a lease to give back. */
export interface Release extends LeaseRef {
  /**
   * If given, an earlier `runAt` of the task becomes this moment, so that a worker that cannot run the task does not
   * claim it again at once. If absent, the task is claimable as before.
   */
  readonly deferUntil?: number;
}

/** An entry in the history of a task. The core writes the body. The store orders by `at` and applies its limits. */
export interface HistoryEntry {
  /** The task whose history gets the entry. Not always the task that is being settled. */
  readonly taskId: string;
  /** Unique within `taskId`: an entry that exists already is not added again. */
  readonly id: string;
  /** When the run ended. */
  readonly at: number;
  /** JSON text that the core writes. */
  readonly body: string;
}

/** The result of a claimed task. */
export interface Settlement {
  readonly id: string;
  readonly token: number;
  /** The revision of the record that this decision is based on. */
  readonly revision: number;
  /** What the task becomes, or null to remove it. */
  readonly next: {
    readonly status: TaskStatus;
    /** Null when `status` is not `scheduled`. */
    readonly runAt: number | null;
    readonly body: string;
    /** Pauses the task as part of the settlement. If absent, `paused` stays as it is. */
    readonly paused?: true;
  } | null;
  readonly history: readonly HistoryEntry[];
  /** Tasks to create in the same step. If an id exists already, its task is left untouched. */
  readonly spawn: readonly NewTaskRecord[];
}

/** The tasks that a bulk call applies to. */
export type TaskSelector =
  | { readonly ids: readonly string[] }
  | { readonly group: string }
  | { readonly all: true };

/** The tasks to list or count: those that match every given member. `group: null` means tasks without a group. */
export interface TaskFilter {
  readonly group?: string | null;
  readonly name?: string;
  readonly queue?: string;
  readonly status?: TaskStatus;
  readonly paused?: boolean;
  /**
   * Whether the task has a live lease: `now < lease.expiresAt`, regardless of what a store without a clock adds to the
   * `wakeAt`. A lease that has run out counts as none. Paused and ended tasks have leases like any other.
   */
  readonly leased?: boolean;
}

export interface ListRequest extends TaskFilter {
  /** Where to continue: the `next` of the previous page. */
  readonly after?: string;
  /** The most tasks to return, at least 1. */
  readonly limit: number;
}

export interface ListResult {
  readonly tasks: readonly TaskRecord[];
  /** Opaque; null on the last page. A page may be short, or even empty, without being the last. */
  readonly next: string | null;
}

export interface LatestHistoryRequest {
  /** Where to continue: the `next` of the previous page, or the `position` of an entry, to go on after that one. */
  readonly after?: string;
  /** The most entries to return, at least 1. */
  readonly limit: number;
}

/** An entry among those of all tasks. */
export interface LatestHistoryEntry extends HistoryEntry {
  /** Opaque; stays the same as long as the entry is kept. */
  readonly position: string;
}

export interface LatestHistoryResult {
  readonly entries: readonly LatestHistoryEntry[];
  /** Opaque; null on the last page. A page may be short, or even empty, without being the last. */
  readonly next: string | null;
}

/** Says that a task in `queue` needs attention at `wakeAt`. */
export interface WakeUp {
  readonly queue: string;
  readonly wakeAt: number;
}

/** What a store can do beyond the core of the contract. The kit tests what is claimed here, and what is not. */
export interface DataStoreCapabilities {
  /** {@link DataStore.history} returns what settlements appended. Without this, it returns an empty list. */
  readonly history: boolean;
  /** {@link DataStore.latestHistory} works. Without this, it fails with `SCHED_STORE_UNSUPPORTED`. */
  readonly latestHistory: boolean;
  /** {@link DataStore.watch} notifies. Without this, it never does, and workers rely on their timers and polls. */
  readonly watch: boolean;
  /** {@link DataStore.withTransaction} works. Without this, it throws `SCHED_STORE_UNSUPPORTED`. */
  readonly transactions: boolean;
  /** Several processes may open the same store at once. */
  readonly processes: boolean;
}

/** Options that every store takes. */
export interface DataStoreOptions {
  /** Replaces the store's own clock in tests. Returns epoch milliseconds. */
  readonly clock?: () => number;
  /** How many history entries to keep for one task: the newest. 0 keeps none. Default 100. */
  readonly historyLimit?: number;
  /** How long to keep a history entry after its `at`, in milliseconds. Default 7 days. */
  readonly historyMaxAgeMs?: number;
}

/** A database that holds tasks. All methods but `withTransaction` are asynchronous and may be called concurrently. */
export interface DataStore {
  /** The name of this store in errors and events, such as `sqlite`. Never contains a password. */
  readonly name: string;
  readonly capabilities: DataStoreCapabilities;

  /**
   * Connects, and creates or upgrades the schema. Does nothing on an open store. Any number of processes may open a
   * fresh database at the same moment.
   *
   * With `migrate: false` in the store's options, it creates and changes nothing.
   *
   * @throws `SCHED_STORE_CONFIG` when the settings cannot work; names the setting and shows no secret
   * @throws `SCHED_STORE_SCHEMA` when the schema is newer than this version knows, or is missing or old and
   *   `migrate: false` was given
   * @throws `SCHED_STORE_UNSUPPORTED` when the server or the runtime is too old
   */
  open(): Promise<void>;

  /**
   * Releases what the store itself created. A client that was passed in stays as it is. Does nothing on a store that is
   * not open. A closed store may be opened again.
   */
  close(): Promise<void>;

  /** The store's time. */
  now(): Promise<number>;

  /**
   * Creates tasks, each atomically and independently of the others.
   *
   * For each record: if the id exists, in whatever state, its task is left untouched → `exists`. Otherwise the record
   * is stored with a fresh revision, no lease, no deliveries and never resumed → `inserted`. If two records in one call
   * have the same id, the first is inserted and the second finds it. A repeated call answers `exists`.
   *
   * @returns one answer for each record, in the same order
   */
  insert(records: readonly NewTaskRecord[]): Promise<readonly ('inserted' | 'exists')[]>;

  /** Reads tasks by id. The answers are in the order of the ids, `undefined` where there is no such task. */
  get(ids: readonly string[]): Promise<readonly (TaskRecord | undefined)[]>;

  /**
   * Edits a task, whatever its state, if it still has the given revision.
   *
   * 1. No such task → `missing`.
   * 2. Another revision → `conflict`; nothing changes.
   * 3. Otherwise every member present in `change` replaces the stored one, and the revision changes → `updated`. A
   *    lease stays, so an edit never lets another worker claim a running task. The owner finds out when it settles.
   *
   * A call repeated after it was applied answers `conflict`. The caller reads the record and sees that its edit is
   * there.
   */
  update(
    id: string,
    change: Partial<Omit<NewTaskRecord, 'id' | 'paused'>>,
    expected: { readonly revision: number },
  ): Promise<'updated' | 'conflict' | 'missing'>;

  /**
   * Pages through the tasks that match. The store chooses the order, which is stable: a task that exists, and matches,
   * from the first page to the last is returned exactly once, whatever is inserted, removed or changed meanwhile.
   */
  list(request: ListRequest): Promise<ListResult>;

  /** Counts the tasks that match. */
  count(filter: TaskFilter): Promise<number>;

  /**
   * Deletes tasks, including leased ones: their owners find out when they extend or settle. Ignores unknown ids.
   * History stays.
   *
   * @returns how many tasks this call deleted
   */
  remove(selector: TaskSelector): Promise<number>;

  /**
   * Pauses or resumes tasks. This is a flag beside the schedule, not an edit: the revision, `runAt` and the lease stay.
   *
   * Pausing takes the task out of the due index at once. A run in progress goes on and may settle. Resuming a paused
   * task sets `resumedAt` to now and puts the task back: a due task is claimable at once, a leased one when its lease
   * runs out. A task that is already as asked is not touched, and its `resumedAt` stays.
   *
   * @returns how many tasks changed
   */
  setPaused(selector: TaskSelector, paused: boolean): Promise<number>;

  /**
   * Takes due tasks and leases them to `owner`.
   *
   * A task is eligible if its `queue` is one of `queues` and `wakeAt <= now`. That is: it is scheduled, not paused, and
   * either due and unleased or its lease is over. The first `limit` of these are taken, ordered by the position of
   * their queue in `queues`, then by `wakeAt`. Ties may fall either way.
   *
   * For each task, atomically: a token greater than any that this id ever had;
   * `lease = { token, owner, expiresAt: now + leaseMs }`; `deliveries + 1`. Nothing else changes. No task is ever given
   * to two callers for overlapping leases, however many claim at once. Concurrent callers wait for one another no
   * longer than they must: a caller that finds tasks being taken by another takes the next ones.
   *
   * The work is O(limit × log N), however many tasks are not due. If the answer is lost, the leases run out and the
   * tasks are claimed again: only time is lost.
   */
  claim(request: ClaimRequest): Promise<ClaimResult>;

  /**
   * Makes leases last until `now + leaseMs`, even if that is sooner than before. A lease is extended if its token is
   * that of the record's current lease, live or run out: as long as nobody has taken the task over, its owner may go
   * on. A lease is lost if the task has been claimed again since, or if a settlement, a release or a removal has ended
   * the lease. Then nothing changes. The lease of a paused task is extended like any other.
   *
   * The answer for an extended lease is the task's current revision. It tells the owner, at no cost, whether the task
   * has been edited while it runs.
   *
   * @returns one answer for each lease, in the same order: a revision, or `lost`
   */
  extend(leases: readonly LeaseRef[], leaseMs: number): Promise<readonly (number | 'lost')[]>;

  /**
   * Records the results of claimed tasks. Each settlement is applied as a whole or not at all, independently of the
   * others.
   *
   * 1. The record's last settlement had this very token → `settled`; nothing changes. This is how a repeated call
   *    learns that the first one was applied.
   * 2. No such task, no lease, or another token → `lost`; nothing changes.
   * 3. Another revision → `conflict`; nothing changes, and the lease stays. The caller reads the edited record,
   *    decides again under the same lease and settles again.
   * 4. Otherwise → `settled`, as one atomic step: `next` replaces status, `runAt` and body, and pauses the task if it
   *    says so, or removes the task; the lease ends; `deliveries` becomes 0; the revision changes; `history` is
   *    appended; `spawn` is inserted.
   *
   * A lease that has run out can still be settled while its token is the current one: nobody has taken the task over,
   * and refusing a finished run would only make it run twice.
   *
   * @returns one answer for each settlement, in the same order
   */
  settle(settlements: readonly Settlement[]): Promise<readonly ('settled' | 'conflict' | 'lost')[]>;

  /**
   * Gives back tasks that were claimed but never started. If the token is the current lease's, live or run out, the
   * lease ends and `deliveries` falls by one → `released`. Otherwise → `lost`. See {@link Release.deferUntil}. The
   * revision stays.
   *
   * @returns one answer for each lease, in the same order
   */
  release(leases: readonly Release[]): Promise<readonly ('released' | 'lost')[]>;

  /**
   * Reads the history of a task, newest first by `at`. Of entries with equal `at`, the latest added comes first. If one
   * call settled several tasks, the order among their entries of equal `at` is open, and so is which of two with one id
   * is kept. History outlives its task. The store's options limit it by count and by age.
   *
   * @param limit the most entries to return, at least 1
   */
  history(taskId: string, limit: number): Promise<readonly HistoryEntry[]>;

  /**
   * Pages through the histories of all tasks, newest first by `at`, those of tasks that are gone included. Of entries
   * with equal `at`, those of one task are in the order of {@link DataStore.history}; among those of several tasks the
   * store chooses, and keeps to it.
   *
   * An entry that is there before the first page, and is kept up to the last, is returned exactly once, whatever is
   * added and forgotten meanwhile. One that is added meanwhile is returned at most once: not at all if it is newer than
   * what the pages have reached. A position stays good when its entry is forgotten.
   *
   * What is older than the store keeps is not returned. What is more than it keeps of a task may be, until the store
   * forgets it, because a page costs what is on it, and not what is kept of the tasks on it.
   *
   * A store claims the capability if it has such an order anyway. It never pays for one with every settlement.
   *
   * @throws `SCHED_STORE_UNSUPPORTED` when the store does not have this capability
   */
  latestHistory(request: LatestHistoryRequest): Promise<LatestHistoryResult>;

  /**
   * Calls `listener` soon after any process makes a task claimable, or claimable earlier: by inserting, updating,
   * resuming, settling or releasing it. Notifications are not guaranteed, and may come late, twice, or for nothing.
   * Workers poll as a safety net. A listener must not throw.
   *
   * @returns a function that stops the notifications; `close` does so too
   */
  watch(listener: (wakeUp: WakeUp) => void): Promise<() => Promise<void>>;

  /**
   * Returns the same store inside the user's own transaction, so that a task is scheduled if and only if the user's
   * other writes are committed. Meant for `insert`, `get`, `update`, `remove` and `setPaused`. The returned store
   * shares the connection `tx`. It needs neither `open` nor `close`, and never begins, commits or rolls back.
   *
   * @param tx what the adapter's driver calls a transaction; the adapter's README says which object that is
   * @throws `SCHED_STORE_UNSUPPORTED` when the store does not have this capability
   */
  withTransaction(tx: unknown): DataStore;
}
