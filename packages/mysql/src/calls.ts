import type { ClaimedTask, ClaimRequest, Settlement, TaskSelector } from '@sched/core';
import { SchedError } from '@sched/core';
import type { Sized, StoreCalls, StoreLimits } from '@sched/core/adapter';
import {
  drawForgetting,
  firstOfEach,
  isFiltered,
  toNumber,
  toPage,
  toRecord,
} from '@sched/core/adapter';
import type { Placed } from './lock-order.js';
import { inLockOrder } from './lock-order.js';
import type { Settings } from './options.js';
import type { Row, Session } from './session.js';
import { toJson } from './session.js';
import { createStatements } from './statements.js';

/** What one call of a procedure holds: with more it is no faster. */
const maxItems = 1000;

/** What one call of a procedure holds where the server would take more. */
const maxBytes = 16 * 1024 * 1024;

/** What a request has beside its items. */
const overheadBytes = 64 * 1024;

/** The calls of the contract, most of them as procedures. */
export function createCalls(
  session: Session,
  settings: Settings,
  maxPacketBytes: number,
): StoreCalls {
  const sql = createStatements(settings.namespace);

  /** The injected time. */
  const time = () => settings.clock?.() ?? null;

  const call = async (procedure: string, request: unknown, at = time()) =>
    session.call(procedure, toJson(request), at);

  async function bulk(procedure: string, selector: TaskSelector, rest: object, at?: number) {
    const tasks =
      'ids' in selector
        ? { ids: inLockOrder(selector.ids, (id) => id).map(({ item }) => item) }
        : 'group' in selector && { group: selector.group };
    const [rows] = await call(procedure, { ...tasks, ...rest }, at);
    return Number(rows?.[0]?.[0]);
  }

  return {
    limits: limitsOf(maxPacketBytes),

    now: async () => time() ?? Number((await session.all(...sql.now()))[0]?.[0]),

    async insert(records) {
      const part = inLockOrder(records, idOf);
      const [rows] = await call(
        'insert',
        part.map(({ item }) => withoutNulls(item)),
      );
      return answersTo(part, rows, 'exists', () => 'inserted');
    },

    async read(ids) {
      const part = inLockOrder(ids, (id) => id);
      const [rows = []] = await call(
        'get',
        part.map(({ item }) => item),
      );
      return rows.map(toRecord);
    },

    async update(id, change, revision) {
      const [rows] = await call('update', { ...change, id, revision });
      const [found, number] = rows?.[0] ?? [];
      if (found === null) return 'missing';
      return number === null ? 'conflict' : 'updated';
    },

    async list({ after, limit, ...filter }) {
      const [end] = isFiltered(filter) ? await session.all(...sql.horizon(filter, after)) : [];
      const last = end ? String(end[0]) : null;
      const list = sql.list(filter, time(), after, last, Math.trunc(limit) + 1);
      return toPage(await session.all(...list), limit, toRecord, ([id]) => String(id), last);
    },

    async count(filter) {
      const [row] = await session.all(...sql.count(filter, time()));
      return Number(row?.[0]);
    },

    remove: (selector) => bulk('remove', selector, {}),

    setPaused: (selector, paused, at) =>
      bulk('set_paused', selector, { paused: Number(paused) }, at),

    async claim(request) {
      const results = await call('claim', request);
      const [now, nextWakeAt] = results.pop()?.[0] ?? [];
      const tasks = results.flatMap((rows) => claimed(rows, request, Number(now)));
      return { tasks, now: Number(now), nextWakeAt: toNumber(nextWakeAt) };
    },

    async extend(leases, leaseMs, at) {
      const part = inLockOrder(leases, idOf);
      const [rows] = await call('extend', { leases: part.map(({ item }) => item), leaseMs }, at);
      return answersTo(part, rows, 'lost', ([, revision]) => Number(revision));
    },

    async settle(settlements) {
      const part = inLockOrder(settlements, idOf);
      const entries = settlements.flatMap(({ history }) => history.map(({ taskId }) => taskId));
      const [rows] = await call('settle', {
        settlements: part.map(({ item: { id, token, revision, next } }) => ({
          ...{ id, token, revision },
          next: next && withoutNulls({ ...next, paused: next.paused && 1 }),
        })),
        history: entriesOf(part),
        spawn: spawnsOf(part),
        forget: drawForgetting(settings, entries),
      });
      const verdicts = Array.from(String(rows?.[0]?.[0]), (verdict, index) => [index + 1, verdict]);
      return answersTo(part, verdicts, 'lost', ([, verdict]) => verdictOf(verdict));
    },

    async release(leases) {
      const part = inLockOrder(leases, idOf);
      const [rows] = await call('release', {
        leases: part.map(({ item: { id, token, deferUntil } }) => ({
          ...{ id, token, notBefore: deferUntil },
        })),
      });
      return answersTo(part, rows, 'lost', () => 'released');
    },

    async history(taskId, limit) {
      const age = Math.min(settings.historyMaxAgeMs, Number.MAX_SAFE_INTEGER);
      const rows = await session.all(...sql.history(taskId, time(), age, limit));
      return rows.map(([id, at, body]) => ({
        ...{ taskId, id: String(id), at: Number(at), body: String(body) },
      }));
    },
  };
}

function limitsOf(maxPacketBytes: number): StoreLimits {
  const maxSize = Math.min(maxPacketBytes, maxBytes) - overheadBytes;
  return {
    ...{ maxItems, maxSize, sizeOf: bytesOf, unstorable: 'loneSurrogates' },
    refuse: (bytes) =>
      new SchedError(
        'SCHED_PAYLOAD_TOO_LARGE',
        `What is to be written of one task takes ${bytes} bytes, and max_allowed_packet of the server leaves room for ${maxSize}.`,
      ),
  };
}

/** At most how many bytes of JSON these take. Long ones are measured, and short ones may be counted too high. */
function bytesOf({ ids, texts, bodies }: Sized): number {
  const measured = (text: string) =>
    text.length < 200 ? text.length * 6 : Buffer.byteLength(JSON.stringify(text));
  return [...ids, ...texts, ...bodies].reduce((sum, text) => sum + 40 + measured(text ?? ''), 0);
}

/**
 * Answers in the order of the call.
 *
 * @param rows each begins with the place of an item in the part, counted from 1
 * @param otherwise what is answered to items that no row names
 */
function answersTo<T, Answer, Rest>(
  part: readonly Placed<T>[],
  rows: readonly Row[] = [],
  otherwise: Rest,
  answer: (row: Row) => Answer,
): (Answer | Rest)[] {
  const answers = part.map((): Answer | Rest => otherwise);
  for (const row of rows) {
    const placed = part[Number(row[0]) - 1];
    if (placed) answers[placed.position] = answer(row);
  }
  return answers;
}

/** What a claim has taken from a queue, whose rows are as they were before. */
function claimed(rows: readonly Row[], { owner, leaseMs }: ClaimRequest, now: number) {
  const expiresAt = now + leaseMs;
  return rows
    .map((row) => ({ row, task: toRecord(row) }))
    .sort((a, b) => Number(a.task.wakeAt) - Number(b.task.wakeAt))
    .map(
      ({ row, task }): ClaimedTask => ({
        ...task,
        lease: { token: Number(row.at(-1)), owner, expiresAt },
        deliveries: task.deliveries + 1,
        wakeAt: expiresAt,
        lapsedOwner: task.lease?.owner ?? null,
      }),
    );
}

/** What is appended to the history by these settlements, in the order in which they were given. */
function entriesOf(part: readonly Placed<Settlement>[]): object[] {
  return part
    .map(({ item, position }, index) => ({ entries: item.history, position, p: index + 1 }))
    .sort((a, b) => a.position - b.position)
    .flatMap(({ entries, p }) => entries.map((entry) => ({ ...entry, p })));
}

function spawnsOf(part: readonly Placed<Settlement>[]): object[] {
  const spawns = part.flatMap(({ item }, index) =>
    item.spawn.map((record) => ({ ...withoutNulls(record), p: index + 1 })),
  );
  return inLockOrder(firstOfEach(spawns), idOf).map(({ item }) => item);
}

const idOf = ({ id }: { readonly id: string }) => id;

/** A member that is null is left out, which means the same. */
function withoutNulls<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null)) as T;
}

function verdictOf(verdict: Row[number] | undefined): 'settled' | 'conflict' | 'lost' {
  if (verdict === 'A' || verdict === 'S') return 'settled';
  return verdict === 'C' ? 'conflict' : 'lost';
}
