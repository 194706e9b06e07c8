import type { DeclaredTask, HistoryEvent } from '../../src/conformance/index.js';
import { checkHistory, recordedOutcome } from '../../src/conformance/index.js';
import type {
  ClaimRequest,
  ClaimResult,
  LeaseRef,
  NewTaskRecord,
  Release,
  Settlement,
  SkipReason,
  TaskSelector,
} from '../../src/index.js';
import type { ResolvedPolicies } from '../../src/policies.js';
import { defaultPolicies } from '../../src/policies.js';
import { type RunEntry, readBody, type TaskBody } from '../../src/record.js';
import { Schedule, triggerContext } from '../../src/schedule.js';
import { describeEntry } from '../../src/task-info.js';
import type { TriggerRegistry } from '../../src/trigger-registry.js';
import type { ClusterLog, StoreEvent } from './cluster-log.js';
import { foreignOutcome, lostEdits, mistimedNext, undoneEdition } from './stored-bodies.js';

/** What tasks go by that is in no record. */
export interface Definitions {
  readonly triggers: TriggerRegistry;
  policiesOf(name: string): Partial<ResolvedPolicies>;
}

/** A task as the calls so far have made it. */
interface Stored {
  readonly record: NewTaskRecord;
  readonly body: TaskBody;
  /** Of its lease. */
  readonly token: number | null;
  /** By the most generous policy that it has had. */
  readonly mostAttempts: number;
}

interface Claimed {
  readonly id: string;
  readonly owner: string;
  readonly edition: number;
}

/** What contradicts the promises in what happened in a cluster up to a moment, and in what it stored. */
export function violationsIn(log: ClusterLog, definitions: Definitions, endedAt: number) {
  const { events, bodyViolations } = new ClusterHistory(log, definitions, endedAt);
  const violations = checkHistory(events, []);
  return {
    events,
    violations: [
      ...violations.map(({ guarantee, id, sentence }) => `${guarantee} ${id} ${sentence}`),
      ...bodyViolations,
    ],
  };
}

/** The history of a cluster by the calls that its store has answered, and what is wrong with the bodies in them. */
class ClusterHistory {
  readonly events: HistoryEvent[] = [];
  readonly bodyViolations: string[] = [];
  readonly #definitions: Definitions;
  readonly #endedAt: number;
  readonly #tasks = new Map<string, Stored>();
  readonly #claims = new Map<number, Claimed>();
  readonly #settled = new Set<number>();

  constructor(log: ClusterLog, definitions: Definitions, endedAt: number) {
    this.#definitions = definitions;
    this.#endedAt = endedAt;
    for (const event of log) {
      if (event.type !== 'store') this.events.push(event);
      else if (event.answer !== undefined) this.#apply(event);
    }
    for (const { record, body, token } of this.#tasks.values()) {
      const { id, status, paused, runAt } = record;
      const isDue = status === 'scheduled' && !paused && runAt !== null && runAt < endedAt;
      this.events.push({
        ...{ type: 'left', id, state: status, isDue, nominal: body.nominal },
        leasedTo: token === null ? null : `token ${token}`,
      });
    }
  }

  #apply({ at, call, args, answer }: StoreEvent): void {
    const answers = answer as readonly unknown[];
    if (call === 'insert') {
      (args[0] as readonly NewTaskRecord[]).forEach((record, index) => {
        if (answers[index] === 'inserted') this.#insert(record);
      });
    } else if (call === 'update' && answer === 'updated') {
      this.#update(args[0] as string, args[1] as Partial<NewTaskRecord>);
    } else if (call === 'remove') {
      for (const id of this.#select(args[0] as TaskSelector)) this.#remove(id);
    } else if (call === 'setPaused') {
      const paused = args[1] as boolean;
      for (const id of this.#select(args[0] as TaskSelector)) this.#setPaused(id, paused, at);
    } else if (call === 'claim') {
      this.#claim(args[0] as ClaimRequest, answer as ClaimResult, at);
    } else if (call === 'extend') {
      const expiresAt = at + (args[1] as number);
      (args[0] as readonly LeaseRef[]).forEach(({ id, token }, index) => {
        if (answers[index] === 'lost') return;
        this.events.push({ type: 'extended', id, token, at, expiresAt });
      });
    } else if (call === 'settle') {
      (args[0] as readonly Settlement[]).forEach((settlement, index) => {
        if (answers[index] === 'settled') this.#settle(settlement, at);
      });
    } else if (call === 'release') {
      (args[0] as readonly Release[]).forEach(({ id, token, deferUntil: until }, index) => {
        if (answers[index] === 'lost') return;
        this.events.push({
          ...{ type: 'freed', id, token, at },
          ...(until !== undefined && { until }),
        });
        const task = this.#tasks.get(id);
        if (!task) return;
        const { runAt } = task.record;
        const record = { ...task.record, runAt: runAt && Math.max(runAt, until ?? 0) };
        this.#tasks.set(id, { ...task, record, token: null });
      });
    }
  }

  #insert(record: NewTaskRecord): void {
    if (this.#tasks.has(record.id)) return;
    const body = readBody(record.body);
    const { retry } = this.#policiesOf(record, body);
    const task = { record, body, token: null, mostAttempts: retry.limit + 1 };
    this.#tasks.set(record.id, task);
    this.events.push({
      ...{ type: 'declared', id: record.id, occurrences: [], open: this.#occurrencesOf(task) },
      ...this.#termsOf(task),
      ...('payload' in body && { payload: body.payload }),
    });
  }

  #update(id: string, change: Partial<NewTaskRecord>): void {
    const before = this.#tasks.get(id);
    if (!before) {
      this.events.push({ type: 'edited', id });
      return;
    }
    const record = { ...before.record, ...change };
    const body = readBody(record.body);
    const { retry } = this.#policiesOf(record, body);
    const mostAttempts = Math.max(before.mostAttempts, retry.limit + 1);
    const after = { ...before, record, body, mostAttempts };
    this.#tasks.set(id, after);
    const occurrence = ({ edition, nominal, attempt }: TaskBody) => [edition, nominal, attempt];
    const isMoved = String(occurrence(before.body)) !== String(occurrence(body));
    const isOther = JSON.stringify(before.body.payload) !== JSON.stringify(body.payload);
    this.events.push({
      ...{ type: 'edited', id, ...this.#termsOf(after) },
      ...(isMoved && { open: this.#occurrencesOf(after) }),
      ...(isOther && { payload: body.payload }),
    });
  }

  #remove(id: string): void {
    this.#tasks.delete(id);
    this.events.push({ type: 'removed', id });
  }

  #setPaused(id: string, paused: boolean, at: number): void {
    const task = this.#tasks.get(id);
    if (!task || task.record.paused === paused) return;
    this.#tasks.set(id, { ...task, record: { ...task.record, paused } });
    this.events.push(paused ? { type: 'paused', id } : { type: 'resumed', id, at });
  }

  #claim({ owner, leaseMs }: ClaimRequest, { tasks }: ClaimResult, at: number): void {
    for (const { id, lease } of tasks) {
      const { token } = lease;
      const task = this.#tasks.get(id);
      this.events.push({
        ...{ type: 'claimed', id, token, at, expiresAt: at + leaseMs },
        ...(task?.body.nominal != null && { nominal: task.body.nominal }),
        ...(task && { attempt: task.body.attempt }),
      });
      if (!task) continue;
      this.#claims.set(token, { id, owner, edition: task.body.edition });
      this.#tasks.set(id, { ...task, token });
    }
  }

  #settle(settlement: Settlement, at: number): void {
    const { id, token, next, spawn, history } = settlement;
    // Settled once more is the answer to a call that is made again.
    if (this.#settled.has(token)) return;
    this.#settled.add(token);
    for (const entry of history) {
      const { child: _child, ...outcome } = recordedOutcome(id, describeEntry(entry));
      this.events.push({ token, ...outcome, at });
    }
    this.events.push({ type: 'freed', id, token, at });
    const task = this.#tasks.get(id);
    if (task?.token !== token) return;
    const body = next && readBody(next.body);
    this.#judgeBodies(task, settlement, body);
    for (const child of spawn) {
      const { nominal } = readBody(child.body);
      this.#insert(child);
      this.events.push({ type: 'spawned', id, nominal: Number(nominal), child: child.id });
    }
    if (next?.status !== 'scheduled') this.events.push({ type: 'ended', id });
    if (!next || !body) {
      this.#remove(id);
      return;
    }
    const { paused = false, ...rest } = next;
    this.#tasks.set(id, { ...task, record: { ...task.record, ...rest }, body, token: null });
    if (paused) this.#setPaused(id, true, at);
  }

  #judgeBodies({ record, body }: Stored, settlement: Settlement, after: TaskBody | null): void {
    const { id, token, next, history } = settlement;
    const [run] = history.map((entry) => JSON.parse(entry.body) as RunEntry);
    const claimed = this.#claims.get(token);
    const ran = this.#claims.get(run?.token ?? token) ?? claimed;
    if (!claimed || !ran) return;
    const isOwn = ran.id === id && ran.owner === claimed.owner;
    const complaints = [
      ...foreignOutcome(run, isOwn, body),
      ...undoneEdition(ran.edition, { runAt: record.runAt, body }, next, after),
      ...(after ? lostEdits(body, after) : []),
      ...(next && after ? mistimedNext(body, after, next.runAt, this.#scheduleOf(id, body)) : []),
    ];
    this.bodyViolations.push(...complaints.map((complaint) => `${id} ${complaint}`));
  }

  #select(selector: TaskSelector): string[] {
    const all = [...this.#tasks.values()].map(({ record }) => record);
    const selected =
      'all' in selector
        ? all
        : 'group' in selector
          ? all.filter(({ group }) => group === selector.group)
          : all.filter(({ id }) => selector.ids.includes(id));
    return selected.map(({ id }) => id);
  }

  #policiesOf({ name }: NewTaskRecord, { policies }: TaskBody): ResolvedPolicies {
    return { ...defaultPolicies, ...this.#definitions.policiesOf(name), ...policies };
  }

  #scheduleOf(id: string, body: TaskBody): Schedule {
    const trigger = this.#definitions.triggers.parse(body.trigger);
    return new Schedule(trigger, triggerContext(id, body));
  }

  /** From the one that is next, up to one that is still to come at the end. */
  #occurrencesOf({ record: { id }, body }: Stored): number[] {
    if (body.nominal === null) return [];
    const schedule = this.#scheduleOf(id, body);
    const found: number[] = [];
    let nominal = schedule.next(body.nominal - 1);
    while (nominal !== null) {
      found.push(nominal);
      if (body.isLast || nominal > this.#endedAt) break;
      nominal = schedule.next(nominal);
    }
    return found;
  }

  #termsOf({
    record,
    body,
    mostAttempts: attempts,
  }: Stored): Omit<DeclaredTask, 'id' | 'occurrences'> {
    const policies = this.#policiesOf(record, body);
    const schedule = this.#scheduleOf(record.id, body);
    const { maxRunning } = policies.overlap;
    return {
      maySkip: reasonsOf(policies),
      isAtMostOnce: policies.delivery === 'atMostOnce',
      attempts,
      runAt: (nominal) => schedule.runAt(nominal),
      maxRunning: maxRunning ?? Number.POSITIVE_INFINITY,
    };
  }
}

/** For what policies skip. */
function reasonsOf({ overlap: { mode, maxRunning }, catchUp }: ResolvedPolicies): SkipReason[] {
  const isLimited = mode === 'allow' && maxRunning !== null;
  const mayMiss = catchUp.mode !== 'all' || catchUp.windowMs !== null || catchUp.limit !== null;
  return [
    ...(mode === 'skip' || isLimited ? ['overlap' as const] : []),
    ...(mode === 'queueOne' || mode === 'replace' ? ['superseded' as const] : []),
    ...(mayMiss ? ['missed' as const] : []),
  ];
}
