/** Judges the log of a cluster by what users are promised, after the model of Jepsen's tests of Chronos. */

import type {
  ClaimRequest,
  ClaimResult,
  LeaseRef,
  NewTaskRecord,
  Release,
  Settlement,
  TaskSelector,
} from '../../src/index.js';
import type { ResolvedPolicies } from '../../src/policies.js';
import { defaultPolicies } from '../../src/policies.js';
import { type RunEntry, readBody, type TaskBody } from '../../src/record.js';
import { Schedule } from '../../src/schedule.js';
import type { TriggerRegistry } from '../../src/trigger-registry.js';
import type { ClusterLog, RunEvent, StoreEvent } from './cluster-log.js';

/** What there is under an id, from its insertion to its removal. */
interface Life {
  readonly id: string;
  readonly number: number;
  readonly resumes: number[];
  record: NewTaskRecord;
  body: TaskBody;
  lease: { readonly token: number; expiresAt: number } | null;
  isRemoved: boolean;
  /** By the most generous policy that it has had. */
  mostAttempts: number;
  /** By edition, the children that still are to run. */
  readonly children: Map<number, Set<string>>;
}

interface Claimed {
  readonly life: Life;
  readonly at: number;
  readonly owner: string;
  readonly name: string;
  readonly body: TaskBody;
  readonly runAt: number;
  hasBegun: boolean;
  hasSucceeded: boolean;
  isSettled: boolean;
}

/** What was judged, and what is wrong with it: nothing, it is to be hoped. */
export interface Verdict {
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** How many occurrences a settlement may pass over before they are not looked at one by one. */
const stepLimit = 5000;

export function judge(
  log: ClusterLog,
  triggers: TriggerRegistry,
  policiesOf: (name: string) => Partial<ResolvedPolicies>,
  endedAt: number,
): Verdict {
  const violations: string[] = [];
  const counts: Record<string, number> = {};
  const lives = new Map<string, Life>();
  const claims = new Map<number, Claimed>();
  const highestToken = new Map<string, number>();
  const accepted = new Set<string>();
  const deliveredOnce = new Set<string>();
  let lifeNumber = 0;
  let at = 0;

  const count = (what: string, by = 1) => {
    counts[what] = (counts[what] ?? 0) + by;
  };
  const complain = (id: string, what: string) => {
    violations.push(`${new Date(at).toISOString()} ${id}: ${what}`);
  };
  const policies = (name: string, body: TaskBody): ResolvedPolicies => ({
    ...{ ...defaultPolicies, ...policiesOf(name), ...body.policies },
  });
  const scheduleOf = ({ id, body }: Life) =>
    new Schedule(triggers.parse(body.trigger), { id, declaredAt: body.declaredAt });
  const isLive = (life: Life) => life.lease !== null && life.lease.expiresAt > at;

  function insert(record: NewTaskRecord, parent?: Life): void {
    if (lives.has(record.id)) return;
    const body = readBody(record.body);
    const life: Life = {
      ...{ id: record.id, number: ++lifeNumber, resumes: [], record, body },
      ...{ lease: null, isRemoved: false, mostAttempts: 0, children: new Map() },
    };
    noteAttempts(life);
    lives.set(record.id, life);
    count('tasks');
    if (!parent) return;
    const edition = parent.body.edition;
    const siblings = parent.children.get(edition) ?? new Set();
    for (const id of siblings) if (!lives.has(id)) siblings.delete(id);
    siblings.add(record.id);
    parent.children.set(edition, siblings);
    const { maxRunning } = policies(parent.record.name, parent.body).overlap;
    if (maxRunning !== null && siblings.size > maxRunning) {
      complain(parent.id, `has ${siblings.size} children at once, more than ${maxRunning}`);
    }
  }

  function noteAttempts(life: Life): void {
    const { retry } = policies(life.record.name, life.body);
    life.mostAttempts = Math.max(life.mostAttempts, retry.limit + 1);
  }

  function remove(life: Life): void {
    life.isRemoved = true;
    lives.delete(life.id);
  }

  function select(selector: TaskSelector): Life[] {
    const all = [...lives.values()];
    if ('all' in selector) return all;
    if ('group' in selector) return all.filter(({ record }) => record.group === selector.group);
    return all.filter(({ id }) => selector.ids.includes(id));
  }

  function claim(request: ClaimRequest, result: ClaimResult): void {
    for (const task of result.tasks) {
      const life = lives.get(task.id);
      const { token } = task.lease;
      if (!life) {
        complain(task.id, 'was claimed and does not exist');
        continue;
      }
      if (isLive(life)) complain(task.id, `was claimed under a live lease, ${life.lease?.token}`);
      if (life.record.paused) complain(task.id, 'was claimed while it was paused');
      if (life.record.status !== 'scheduled') complain(task.id, `was claimed ${task.status}`);
      if (!life.lease && (life.record.runAt ?? Number.POSITIVE_INFINITY) > at) {
        complain(task.id, 'was claimed before it was due');
      }
      if (token <= (highestToken.get(task.id) ?? 0)) complain(task.id, `got token ${token} again`);
      highestToken.set(task.id, token);
      life.lease = { token, expiresAt: at + request.leaseMs };
      claims.set(token, {
        ...{
          life,
          at,
          owner: request.owner,
          name: life.record.name,
          body: life.body,
          runAt: life.record.runAt ?? 0,
        },
        ...{ hasBegun: false, hasSucceeded: false, isSettled: false },
      });
      count('claims');
    }
  }

  function began({ id, token, nominal, attempt, payload }: RunEvent): void {
    count('runs');
    const claimed = claims.get(token);
    if (!claimed || claimed.life.id !== id) {
      complain(id, `ran under token ${token}, which was never given out for it`);
      return;
    }
    const { life, name, body } = claimed;
    if (claimed.hasBegun) complain(id, `ran twice under token ${token}`);
    claimed.hasBegun = true;
    if (!life.isRemoved && !(life.lease?.token === token && isLive(life))) {
      complain(id, `ran under token ${token}, which was not valid any more`);
    }
    if (nominal !== body.nominal || attempt !== body.attempt) {
      complain(id, `ran as attempt ${attempt} of ${nominal}, not as it was claimed`);
    }
    if (JSON.stringify(payload) !== JSON.stringify(body.payload)) {
      complain(id, `ran with the payload ${JSON.stringify(payload)}`);
    }
    if (at < nominal || at < claimed.runAt) complain(id, 'ran early');
    const schedule = scheduleOf({ ...life, body });
    if (schedule.next(nominal - 1) !== nominal) {
      complain(id, `ran for ${new Date(nominal).toISOString()}, which is no occurrence of it`);
    }
    const { delivery } = policies(name, body);
    if (attempt > life.mostAttempts) complain(id, `was tried ${attempt} times`);
    if (delivery === 'atMostOnce') {
      const key = `${life.number}/${body.edition}/${nominal}`;
      if (deliveredOnce.has(key)) complain(id, 'ran twice, and is to run at most once');
      deliveredOnce.add(key);
    }
  }

  function settle(settlement: Settlement): void {
    const { id, token, next, spawn } = settlement;
    const claimed = claims.get(token);
    const life = lives.get(id);
    if (claimed?.isSettled) return;
    if (!claimed || !life || life.lease?.token !== token) {
      complain(id, `was settled under token ${token}, which was not valid any more`);
      return;
    }
    count('settlements');
    claimed.isSettled = true;
    const records = settlement.history.map(({ body }) => JSON.parse(body) as RunEntry);
    const ran = claims.get(records[0]?.token ?? token) ?? claimed;
    ran.isSettled = true;
    // A run goes on when its worker claims the task once more, and leaves word when another worker has.
    const mayBeSettled =
      ran === claimed ||
      (ran.life === life &&
        (ran.owner === claimed.owner || life.body.returned?.token === records[0]?.token));
    if (!mayBeSettled) complain(id, 'was settled by the run of another worker');
    for (const record of records) judgeRun(record, ran);
    const before = life.body;
    const after = next ? readBody(next.body) : null;
    if (after) judgeEdits(id, before, after);
    if (before.edition === ran.body.edition)
      judgeProgress(life, claimed.name, after, records, settlement);
    else if (!next || next.runAt !== life.record.runAt || after?.nominal !== before.nominal) {
      complain(id, 'was moved on by a run that knew nothing of its new schedule');
    }
    life.lease = null;
    for (const child of spawn) insert(child, life);
    if (!next || !after) {
      remove(life);
      return;
    }
    const { status, runAt, body, paused } = next;
    life.record = { ...life.record, status, runAt, body, ...(paused && { paused }) };
    life.body = after;
  }

  /** Nothing completes that did not run, and nothing completes twice. */
  function judgeRun({ outcome, nominal }: RunEntry, claimed: Claimed): void {
    count(outcome);
    const { life, body } = claimed;
    if (outcome !== 'succeeded') return;
    const key = `${life.number}/${body.edition}/${nominal}`;
    if (accepted.has(key)) complain(life.id, `completed twice for ${nominal}`);
    accepted.add(key);
    if (!claimed.hasSucceeded) complain(life.id, 'completed, and no handler ended well');
    if (nominal !== body.nominal) complain(life.id, `completed for ${nominal}, which did not run`);
  }

  /** What users have set survives every settlement. */
  function judgeEdits(id: string, before: TaskBody, after: TaskBody): void {
    const settings = ({ payload, policies, trigger, edition, declaredAt, parent }: TaskBody) =>
      JSON.stringify({ payload, policies, trigger, edition, declaredAt, parent });
    if (settings(before) !== settings(after)) complain(id, 'lost an edit when it was settled');
  }

  /** Every occurrence from the one before to the one after has a record, and only one. */
  function judgeProgress(
    life: Life,
    name: string,
    after: TaskBody | null,
    records: readonly RunEntry[],
    settlement: Settlement,
  ): void {
    const { id, body } = life;
    const from = body.nominal;
    if (from === null) {
      complain(id, 'was settled although its schedule was over');
      return;
    }
    const schedule = scheduleOf(life);
    const covered = new Map<number, number>();
    const cover = (nominal: number) => covered.set(nominal, (covered.get(nominal) ?? 0) + 1);
    for (const record of records) {
      const { outcome, nominal, lastNominal = nominal, retryAt, reason } = record;
      if (outcome === 'skipped') {
        judgeSkip(life, name, record);
        let skipped: number | null = nominal;
        for (let i = 0; skipped !== null && skipped <= lastNominal && i < stepLimit; i++) {
          cover(skipped);
          skipped = schedule.next(skipped);
        }
      } else if (outcome === 'interrupted' ? reason === 'superseded' : retryAt === undefined) {
        cover(nominal);
      }
    }
    for (const child of settlement.spawn) cover(Number(child.id.slice(id.length + 1)));
    const to =
      body.isLast && after?.nominal !== from ? schedule.next(from) : (after?.nominal ?? null);
    let nominal: number | null = from;
    for (let i = 0; nominal !== null && nominal !== to && i < stepLimit; i++) {
      const times = covered.get(nominal) ?? 0;
      if (times !== 1) {
        complain(id, `has ${times} records of ${new Date(nominal).toISOString()} as it goes on`);
      }
      covered.delete(nominal);
      nominal = schedule.next(nominal);
    }
    const { next } = settlement;
    if (next?.runAt != null && to !== null && to !== from && next.runAt !== schedule.runAt(to)) {
      complain(id, `is to run at ${new Date(next.runAt).toISOString()}, which is not its time`);
    }
    for (const stray of covered.keys()) {
      complain(id, `has a record of ${new Date(stray).toISOString()}, to which it has not come`);
    }
  }

  /** Skipping needs a reason, and the reason has to be true. */
  function judgeSkip(
    life: Life,
    name: string,
    { reason, nominal, lastNominal = nominal }: RunEntry,
  ): void {
    const { id } = life;
    // Those of the definition that it was claimed for: it may have been given to another since.
    const { overlap, catchUp } = policies(name, life.body);
    count(`skipped: ${reason}`);
    if (reason === 'paused') {
      const resumedAt = life.resumes.at(-1) ?? 0;
      if (lastNominal > resumedAt) complain(id, 'skipped an occurrence of a time not paused');
    } else if (reason === 'overlap') {
      const isLimited = overlap.mode === 'allow' && overlap.maxRunning !== null;
      if (overlap.mode !== 'skip' && !isLimited) complain(id, `skipped for ${overlap.mode}`);
    } else if (reason === 'superseded') {
      if (overlap.mode !== 'queueOne' && overlap.mode !== 'replace') {
        complain(id, `superseded for ${overlap.mode}`);
      }
    } else if (catchUp.mode === 'all' && catchUp.windowMs === null && catchUp.limit === null) {
      complain(id, 'missed an occurrence, and all are to be caught up with');
    }
  }

  function apply({ call, args, answer }: StoreEvent): void {
    if (answer === undefined) return;
    const answers = answer as readonly unknown[];
    if (call === 'insert') {
      (args[0] as readonly NewTaskRecord[]).forEach((record, i) => {
        if (answers[i] === 'inserted') insert(record);
      });
    } else if (call === 'update' && answer === 'updated') {
      const life = lives.get(args[0] as string);
      if (life) {
        life.record = { ...life.record, ...(args[1] as Partial<NewTaskRecord>) };
        life.body = readBody(life.record.body);
        noteAttempts(life);
      } else complain(String(args[0]), 'was edited and does not exist');
    } else if (call === 'remove') {
      for (const life of select(args[0] as TaskSelector)) remove(life);
    } else if (call === 'setPaused') {
      const paused = args[1] as boolean;
      for (const life of select(args[0] as TaskSelector)) {
        if (life.record.paused && !paused) life.resumes.push(at);
        life.record = { ...life.record, paused };
      }
    } else if (call === 'claim') {
      claim(args[0] as ClaimRequest, answer as ClaimResult);
    } else if (call === 'extend') {
      (args[0] as readonly LeaseRef[]).forEach(({ id, token }, i) => {
        const life = lives.get(id);
        if (answers[i] === 'lost') return;
        if (life?.lease?.token === token) {
          life.lease.expiresAt = at + (args[1] as number);
        } else complain(id, `had its lease prolonged under token ${token}`);
      });
    } else if (call === 'settle') {
      (args[0] as readonly Settlement[]).forEach((settlement, i) => {
        if (answers[i] === 'settled') settle(settlement);
      });
    } else if (call === 'release') {
      (args[0] as readonly Release[]).forEach(({ id, deferUntil = 0 }, i) => {
        const life = lives.get(id);
        if (answers[i] === 'lost' || !life) return;
        life.lease = null;
        const { runAt } = life.record;
        life.record = { ...life.record, runAt: runAt && Math.max(runAt, deferUntil) };
      });
    }
  }

  for (const event of log) {
    at = event.at;
    if (event.type === 'store') apply(event);
    else if (event.type === 'began') began(event);
    else {
      const claimed = claims.get(event.token);
      if (event.type === 'succeeded') {
        if (claimed) claimed.hasSucceeded = true;
      } else if (!claimed?.isSettled) {
        complain(event.id, `was reported to be settled under token ${event.token}, and is not`);
      }
    }
  }
  at = endedAt;
  for (const { id, record, lease } of lives.values()) {
    if (lease) complain(id, `is still held under token ${lease.token} at the end`);
    const { runAt, status, paused } = record;
    if (status === 'scheduled' && !paused && runAt !== null && runAt < endedAt) {
      complain(id, `has been due since ${new Date(runAt).toISOString()} at the end`);
    }
  }
  return { violations, counts };
}
