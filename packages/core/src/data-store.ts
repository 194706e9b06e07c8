/**
 * The contract between @sched/core and a database.
 *
 * # What a store holds
 *
 * A task is one small record: an *envelope* of scalars that the store compares and indexes, and a *body*, a JSON text
 * that the core writes and the store carries without looking inside. All scheduling logic is in the core. A store
 * never computes an occurrence, never retries anything and never decides that a task is done; it answers which tasks
 * need attention, hands each to one owner at a time, and records what that owner decided.
 *
 * # The one index
 *
 * Every record has one derived moment, `wakeAt`, the next time somebody must look at it:
 *
 * ```text
 * status is not 'scheduled'  →  null
 * paused                     →  null
 * leased                     →  lease.expiresAt (see Time for what a store without a clock adds)
 * otherwise                  →  runAt
 * ```
 *
 * A task that is due and a task whose worker died are therefore the same range scan, `wakeAt <= now`, over the same
 * ordered index on `(queue, wakeAt)`. Records whose `wakeAt` is null are not in that index at all, so that a hundred
 * thousand paused tasks cost a claim nothing. A store may keep `wakeAt` in a column or derive it; callers see it in
 * every {@link TaskRecord}.
 *
 * # Time
 *
 * Moments are integer milliseconds since the Unix epoch, UTC. *Now* is always the store's own clock, read inside the
 * call, never the caller's: workers whose clocks are hours apart behave as if they were not. Within one call now is
 * one value. A store takes an optional `clock` when it is made, and then uses it in place of its own in every
 * statement, which is how the conformance kit moves time without sleeping.
 *
 * A database that has no clock to be asked leaves none but that of each process. Its store says by how much those of any
 * two may differ, and adds that to every lease: `expiresAt` is as its owner is told, by the clock of its owner, and
 * others find the lease over only that much later, which is then its `wakeAt`. With an injected clock there is no
 * such difference unless it is asked for.
 *
 * Boundaries: a task is due when `wakeAt <= now`; a lease is live while `now < expiresAt`. At the very millisecond
 * at which it expires a lease is over, and the task is due.
 *
 * # Tokens and revisions
 *
 * `token` fences *ownership*: every claim of a task gives it a token greater than any that this id ever had, also
 * across removal and re-creation, within one millisecond, and under a clock that stands still. Whoever presents
 * another token than the current lease's is a stale owner and changes nothing.
 *
 * `revision` fences *edits*: {@link DataStore.update} and {@link DataStore.settle} give the record a revision that
 * this id never had before, re-creation included; every other call leaves it alone. Whoever presents another revision
 * than the current one has decided on the basis of a record that no longer is, and changes nothing.
 *
 * A single counter for the whole store, raised for each token and each revision, satisfies both.
 *
 * # Faults
 *
 * Any call can fail, hang, or be applied and lose its answer; the caller then makes it again. Every call is safe to
 * repeat: see each for what the repetition answers. A call that rejects has either been applied as a whole or not at
 * all, item by item where a call takes several items. The items of one call are handled in the order in which they
 * are given, so that two about one task mean what they would mean in two calls.
 *
 * Calls reject with a `SchedError`: `SCHED_STORE_UNAVAILABLE` when the database could not be reached or failed (the
 * driver's error is the `cause`), `SCHED_STORE_CLOSED` before `open` and after `close`, and the codes that each call
 * lists. Callers retry the first of these and no other.
 *
 * # Limits
 *
 * A store accepts ids of up to 300 bytes of UTF-8 and compares them byte by byte (`a`, `A` and `á` are three ids, and
 * a trailing space counts); names, queues and groups of up to 255 bytes, likewise; and bodies of at least 256 KiB. A
 * body over its own limit is refused with `SCHED_PAYLOAD_TOO_LARGE` by whichever call carries it, before that call has
 * stored anything.
 *
 * Not every database can hold half of a surrogate pair, or the character 0. What a store cannot hold it refuses with
 * `SCHED_ARGUMENT_INVALID`, likewise; a call that only names tasks may find none instead. It is never taken for another
 * text.
 *
 * @module
 */

/** `scheduled`: has or will have a next run. `finished` and `failed`: kept for reading, never claimed. */
export type TaskStatus = 'scheduled' | 'finished' | 'failed';

/** Time-limited ownership of a task. */
export interface Lease {
  /** Fences everything done under this lease. */
  readonly token: number;
  /** Who holds it: free text for operators. Ownership is decided by the token alone. */
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
  /** JSON text of the core's own making. Given back byte for byte. */
  readonly body: string;
}

/** A stored task: the envelope and the body. Always a snapshot; changing it changes nothing in the store. */
export interface TaskRecord extends NewTaskRecord {
  /** When the task was last resumed after a pause, or null if it never was. */
  readonly resumedAt: number | null;
  /** The current lease, live or run out, until the task is settled, released or claimed again. */
  readonly lease: Lease | null;
  /** Claims since the last settlement, less those released. More than 1 means that an owner vanished. */
  readonly deliveries: number;
  readonly revision: number;
  /** See the head of this page. */
  readonly wakeAt: number | null;
}

/** A task that has just been claimed. */
export interface ClaimedTask extends TaskRecord {
  readonly lease: Lease;
  /** The owner who held a lease on this task and let it run out, or null if the task was simply due. */
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
  /** The store's time at which all this was true. */
  readonly now: number;
  /**
   * The earliest `wakeAt` in these queues after this claim, the new leases included; null when there is none. At or
   * before `now` when `limit` left due tasks behind. May be too early, at the price of a wasted claim, never too late.
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
   * When given, the task's `runAt` becomes this moment if it was earlier, so that the task is not claimed again
   * at once by a worker that can do nothing with it. When absent the task is claimable as before.
   */
  readonly deferUntil?: number;
}

/** Appended to the history of a task. The body is the core's; the store orders by `at` and keeps to its limits. */
export interface HistoryEntry {
  /** The task under which the entry is filed; not always the task that is being settled. */
  readonly taskId: string;
  /** Unique within `taskId`: an entry that is there already is not added again. */
  readonly id: string;
  /** When the run ended. */
  readonly at: number;
  /** JSON text of the core's own making. */
  readonly body: string;
}

/** What came of a claimed task. */
export interface Settlement {
  readonly id: string;
  readonly token: number;
  /** The revision of the record on which this settlement was decided. */
  readonly revision: number;
  /** What the task becomes, or null to remove it. */
  readonly next: {
    readonly status: TaskStatus;
    /** Null when `status` is not `scheduled`. */
    readonly runAt: number | null;
    readonly body: string;
    /** Pauses the task as part of the settlement. Absent: whether it is paused stays as it is. */
    readonly paused?: true;
  } | null;
  readonly history: readonly HistoryEntry[];
  /** Tasks to create along with it. An id that exists already is left untouched. */
  readonly spawn: readonly NewTaskRecord[];
}

/** Which tasks a bulk call means. */
export type TaskSelector =
  | { readonly ids: readonly string[] }
  | { readonly group: string }
  | { readonly all: true };

/** Which tasks a listing means: those that match every member given. `group: null` means tasks without a group. */
export interface TaskFilter {
  readonly group?: string | null;
  readonly name?: string;
  readonly queue?: string;
  readonly status?: TaskStatus;
  readonly paused?: boolean;
  /**
   * Whether the task has a lease that is live: `now < lease.expiresAt`, whatever a store without a clock adds to the
   * `wakeAt`. To have none and to have one that has run out is the same. Paused and ended tasks have leases like any
   * other.
   */
  readonly leased?: boolean;
}

export interface ListRequest extends TaskFilter {
  /** Where to go on: the `next` of the previous page. */
  readonly after?: string;
  /** The most tasks to give, at least 1. */
  readonly limit: number;
}

export interface ListResult {
  readonly tasks: readonly TaskRecord[];
  /** Opaque; null on the last page. A page may be short, even empty, and not be the last. */
  readonly next: string | null;
}

/** Says that a task in `queue` needs attention at `wakeAt`. */
export interface WakeUp {
  readonly queue: string;
  readonly wakeAt: number;
}

/** What a store can do beyond the contract's core. The kit tests what is claimed here, and what is not. */
export interface DataStoreCapabilities {
  /** {@link DataStore.history} gives what settlements appended. Without it, it gives an empty list. */
  readonly history: boolean;
  /** {@link DataStore.watch} notifies. Without it, it never does, and workers rely on their timers and polls. */
  readonly watch: boolean;
  /** {@link DataStore.withTransaction} works. Without it, it throws `SCHED_STORE_UNSUPPORTED`. */
  readonly transactions: boolean;
  /** Several processes may open the same store at once. */
  readonly processes: boolean;
}

/** Options that every store takes. */
export interface DataStoreOptions {
  /** Replaces the store's own clock, for tests. Gives epoch milliseconds. */
  readonly clock?: () => number;
  /** The most history entries kept for one task: the newest. 0 keeps none. Default 100. */
  readonly historyLimit?: number;
  /** How long a history entry is kept after its `at`, in milliseconds. Default 7 days. */
  readonly historyMaxAgeMs?: number;
}

/** A database that tasks live in. Every method but `withTransaction` is asynchronous and may be called concurrently. */
export interface DataStore {
  /** What this store is called in errors and events, such as `sqlite`. Never holds a password. */
  readonly name: string;
  readonly capabilities: DataStoreCapabilities;

  /**
   * Connects, and creates or upgrades the schema. Calling it on an open store does nothing. Any number of processes
   * may open a fresh database at the same moment.
   *
   * With `migrate: false` among the store's options nothing is created or changed.
   *
   * @throws `SCHED_STORE_CONFIG` when the settings cannot work; names the setting and shows no secret
   * @throws `SCHED_STORE_SCHEMA` when the schema is newer than this version knows, or is missing or old and
   *   `migrate: false` was given
   * @throws `SCHED_STORE_UNSUPPORTED` when the server or the runtime is too old
   */
  open(): Promise<void>;

  /**
   * Releases what the store itself made; a client passed in stays as it is. On a store that is not open it does
   * nothing. A closed store may be opened again.
   */
  close(): Promise<void>;

  /** The store's time. */
  now(): Promise<number>;

  /**
   * Creates tasks, each atomically, independently of the others.
   *
   * For each record: an id that exists is left untouched, whatever its state → `exists`; otherwise it is stored with
   * a fresh revision, no lease, no deliveries and never resumed → `inserted`. Two records with one id in the same
   * call: the first is inserted, the second finds it. Repeated: answers `exists`.
   *
   * @returns one answer a record, in their order
   */
  insert(records: readonly NewTaskRecord[]): Promise<readonly ('inserted' | 'exists')[]>;

  /** Tasks by id, in the order of the ids; `undefined` where there is none. */
  get(ids: readonly string[]): Promise<readonly (TaskRecord | undefined)[]>;

  /**
   * Edits a task, whatever it is doing, if its revision is still the given one.
   *
   * 1. No such task → `missing`.
   * 2. Another revision → `conflict`; nothing changes.
   * 3. Otherwise every member present in `change` replaces the stored one, the revision changes → `updated`. A lease
   *    stays, so an edit never makes a running task claimable by another; its owner finds out when it settles.
   *
   * Repeated after it was applied: answers `conflict`; the caller reads the record and sees that its edit is there.
   */
  update(
    id: string,
    change: Partial<Omit<NewTaskRecord, 'id' | 'paused'>>,
    expected: { readonly revision: number },
  ): Promise<'updated' | 'conflict' | 'missing'>;

  /**
   * Pages through the tasks that match. The order is the store's own, but stable: a task that exists from the first
   * page to the last, and matches all the while, is given exactly once, whatever is inserted, removed or changed
   * meanwhile.
   */
  list(request: ListRequest): Promise<ListResult>;

  /** How many tasks match. */
  count(filter: TaskFilter): Promise<number>;

  /**
   * Deletes tasks, leased ones included: their owners find out when they extend or settle. Unknown ids are passed
   * over. History stays.
   *
   * @returns how many were deleted by this call
   */
  remove(selector: TaskSelector): Promise<number>;

  /**
   * Pauses or resumes tasks. A flag beside the schedule, not an edit: the revision, `runAt` and the lease stay.
   *
   * Pausing takes the task out of the due index at once; a run in progress goes on and may settle. Resuming a paused
   * task sets `resumedAt` to now and puts it back: due tasks are claimable at once, and a leased one again when its
   * lease runs out. A task that is already as asked is not touched, `resumedAt` included.
   *
   * @returns how many changed
   */
  setPaused(selector: TaskSelector, paused: boolean): Promise<number>;

  /**
   * Takes due tasks and leases them to `owner`.
   *
   * Eligible: `queue` is one of `queues` and `wakeAt <= now` (so: scheduled, not paused, and either due and unleased
   * or leased by someone whose lease is over). The first `limit` of these are taken, ordered by the position of their
   * queue in `queues`, then by `wakeAt`; ties fall as they may.
   *
   * For each, atomically: a greater token than this id ever had; `lease = { token, owner, expiresAt: now + leaseMs }`;
   * `deliveries + 1`. Nothing else changes. No task is ever given to two callers for overlapping leases, however many
   * claim at once, and callers that claim at once do not wait for one another longer than they must: one that finds
   * tasks being taken by another takes the next ones.
   *
   * The work is O(limit × log N), whatever the number of tasks that are not due. If the answer is lost, the leases
   * run out and the tasks are claimed again: nothing is lost but time.
   */
  claim(request: ClaimRequest): Promise<ClaimResult>;

  /**
   * Makes leases last until `now + leaseMs`, also where that is sooner than before. Extended are those whose token is
   * the record's current lease's, live or run out: as long as nobody has taken the task over, its owner may go on.
   * A lease that another has claimed since, or that a settlement, a release or a removal has ended, is lost, and
   * nothing changes. A paused task's lease is extended like any other.
   *
   * The answer for a lease that was extended is the task's current revision, by which its owner learns, at no cost,
   * that the task has been edited while it runs.
   *
   * @returns one answer a lease, in their order: a revision, or `lost`
   */
  extend(leases: readonly LeaseRef[], leaseMs: number): Promise<readonly (number | 'lost')[]>;

  /**
   * Records what came of claimed tasks. Each settlement is applied as a whole or not at all, independently of the
   * others.
   *
   * 1. The record shows that this very token has been settled before (its last settlement had this token) →
   *    `settled`; nothing changes. This is how a repeated call learns that the first one was applied.
   * 2. No such task, no lease, or another token → `lost`; nothing changes.
   * 3. Another revision → `conflict`; nothing changes, and the lease stays. The caller reads the edited record,
   *    decides again under the same lease and settles again.
   * 4. Otherwise → `settled`, as one atomic step: `next` replaces status, `runAt` and body, and pauses if it says so,
   *    or removes the task; the lease ends; `deliveries` becomes 0; the revision changes; `history` is appended;
   *    `spawn` is inserted.
   *
   * A lease that has run out but whose token is still the current one can still be settled: nobody has taken the task
   * over, and refusing a finished run would only make it run twice.
   *
   * @returns one answer a settlement, in their order
   */
  settle(settlements: readonly Settlement[]): Promise<readonly ('settled' | 'conflict' | 'lost')[]>;

  /**
   * Gives back tasks that were claimed but never started. Where the token is the current lease's, live or run out,
   * the lease ends and `deliveries` falls by one → `released`; otherwise → `lost`. See {@link Release.deferUntil}.
   * The revision stays.
   *
   * @returns one answer a lease, in their order
   */
  release(leases: readonly Release[]): Promise<readonly ('released' | 'lost')[]>;

  /**
   * What was appended to the history of a task, newest first by `at`, those of equal `at` latest added first; in which
   * order those of several tasks come that were settled in one call is open. History outlives its task and is kept by
   * count and by age, as the store's options say.
   *
   * @param limit the most entries to give, at least 1
   */
  history(taskId: string, limit: number): Promise<readonly HistoryEntry[]>;

  /**
   * Calls `listener` soon after any process makes a task claimable, or claimable earlier: by inserting, updating,
   * resuming, settling or releasing it. A notification may come late, twice, or for nothing; it carries no promise,
   * and workers poll as a safety net. A listener must not throw.
   *
   * @returns stops the notifications; `close` does so too
   */
  watch(listener: (wakeUp: WakeUp) => void): Promise<() => Promise<void>>;

  /**
   * The same store inside a transaction of the user's own, so that a task is scheduled if and only if the user's other
   * writes are committed. Meant for `insert`, `get`, `update`, `remove` and `setPaused`. The returned store shares the
   * connection `tx` and needs neither `open` nor `close`; it neither begins, commits nor rolls back.
   *
   * @param tx what the adapter's driver calls a transaction: its README says which object that is
   * @throws `SCHED_STORE_UNSUPPORTED` when the store has no such capability
   */
  withTransaction(tx: unknown): DataStore;
}
