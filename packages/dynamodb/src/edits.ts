/** What changes a task by one write on its condition, made again on what was found when that did not hold. */
import type { LeaseRef, NewTaskRecord, Release } from '@sched/core';
import type { TaskChange } from '@sched/core/adapter';
import { contended, doubtful } from './errors.js';
import type { Item, Value } from './expressions.js';
import { expressions, numberOf, textOf } from './expressions.js';
import type { Key } from './records.js';
import type { Session, Written } from './session.js';

/** How often a change is tried while others change the task. */
const maxTries = 10;

interface Update {
  readonly condition: readonly string[];
  readonly set?: readonly string[];
  readonly remove?: readonly string[];
  readonly values?: Readonly<Record<string, Value>>;
}

function write(session: Session, key: Key, update: Update, returns?: 'ALL_NEW'): Promise<Written> {
  const { condition, set = [], remove = [], values = {} } = update;
  const clauses = [
    ...(set.length > 0 ? [`SET ${set.join(', ')}`] : []),
    ...(remove.length > 0 ? [`REMOVE ${remove.join(', ')}`] : []),
  ];
  const texts = {
    ConditionExpression: condition.join(' AND '),
    UpdateExpression: clauses.join(' '),
  };
  const Update = {
    TableName: session.records.table,
    Key: key,
    ...expressions(texts, values),
  };
  return session.write({ Update }, returns);
}

export async function insert(
  session: Session,
  record: NewTaskRecord,
  revision: number,
): Promise<'inserted' | 'exists'> {
  const { records } = session;
  const condition = expressions({ ConditionExpression: 'attribute_not_exists(#pk)' }, {});
  const Item = records.encode(record, revision);
  const written = await session.write({ Put: { TableName: records.table, Item, ...condition } });
  // What is there may be what the client has put there a moment ago.
  return written.isDone || numberOf(written.item, 'revision') === revision ? 'inserted' : 'exists';
}

export async function update(
  session: Session,
  id: string,
  change: TaskChange,
  revision: number,
): Promise<'updated' | 'conflict' | 'missing'> {
  const { records } = session;
  const key = records.keyOf(id);
  const request = { TableName: records.table, Key: key, ConsistentRead: true };
  let { Item: seen } = await session.call('GetItem', request);
  let fresh: number | undefined;
  for (let tries = 0; tries < maxTries; tries++) {
    if (!seen) return 'missing';
    if (fresh !== undefined && numberOf(seen, 'revision') === fresh) return 'updated';
    if (numberOf(seen, 'revision') !== revision) return 'conflict';
    fresh ??= await session.numbers(1);
    const written = await write(session, key, edit(session, id, change, { seen, revision, fresh }));
    if (written.isDone) return 'updated';
    seen = written.item;
  }
  throw contended();
}

function edit(
  { records }: Session,
  id: string,
  { name, group, body, ...change }: TaskChange,
  { seen, revision, fresh }: { seen: Item; revision: number; fresh: number },
): Update {
  const isPaused = 'paused' in seen;
  const isLeased = 'owner' in seen;
  const queue =
    change.queue === undefined ? textOf(seen, 'queue') : records.queueOf(id, change.queue);
  const status = change.status ?? textOf(seen, 'status');
  const isDue = status === 'scheduled' && !isPaused;
  const members = {
    ...{ name, queue, status, body, runAt: change.runAt, revision: fresh },
    group: typeof group === 'string' ? records.groupOf(group) : group,
    due: isDue ? queue : null,
    // As long as it is leased, the end of the lease says when it is to wake.
    wakeAt: isLeased ? undefined : change.runAt,
  };
  const given = Object.entries(members).flatMap(([member, value]): [string, Value][] =>
    value === undefined ? [] : [[member, value]],
  );
  return {
    condition: [
      '#revision = :expected',
      `attribute_${isPaused ? '' : 'not_'}exists(#paused)`,
      `attribute_${isLeased ? '' : 'not_'}exists(#owner)`,
    ],
    set: given.flatMap(([member, value]) => (value === null ? [] : `#${member} = :${member}`)),
    remove: given.flatMap(([member, value]) => (value === null ? `#${member}` : [])),
    values: { ...Object.fromEntries(given), expected: revision },
  };
}

/** @param group if the task is to be in one */
export async function remove(session: Session, key: Key, group?: string): Promise<number> {
  const texts = { ConditionExpression: present(group).join(' AND ') };
  const condition = expressions(texts, { group: group ?? null });
  const { table } = session.records;
  const written = await session.write({ Delete: { TableName: table, Key: key, ...condition } });
  if (written.isDone) return 1;
  if (written.doubt && !written.item) throw doubtful(written.doubt);
  return 0;
}

function present(group: string | undefined): string[] {
  return ['attribute_exists(#pk)', ...(group === undefined ? [] : ['#group = :group'])];
}

/** @param group if the task is to be in one */
export async function setPaused(
  session: Session,
  key: Key,
  paused: boolean,
  now: number,
  group?: string,
): Promise<number> {
  const resumed = (isScheduled: boolean): Update => ({
    condition: ['attribute_exists(#paused)', `#status ${isScheduled ? '=' : '<>'} :scheduled`],
    set: ['#resumedAt = :now', ...(isScheduled ? ['#due = #queue'] : [])],
    remove: ['#paused'],
  });
  const pause: Update = {
    condition: ['attribute_not_exists(#paused)'],
    set: ['#paused = :true'],
    remove: ['#due'],
  };
  let isScheduled = true;
  for (let tries = 0; tries < maxTries; tries++) {
    const change = paused ? pause : resumed(isScheduled);
    const written = await write(session, key, {
      ...change,
      condition: [...present(group), ...change.condition],
      values: { group: group ?? null, now, scheduled: 'scheduled', true: true },
    });
    if (written.isDone) return 1;
    const { item, doubt } = written;
    const isAsAsked = item !== undefined && 'paused' in item === paused;
    if (isAsAsked && doubt) throw doubtful(doubt);
    if (!item || isAsAsked || (group !== undefined && textOf(item, 'group') !== group)) return 0;
    isScheduled = textOf(item, 'status') === 'scheduled';
  }
  throw contended();
}

const isHeld = ['#token = :token', 'attribute_exists(#owner)'];

export async function extend(
  session: Session,
  { id, token }: LeaseRef,
  leaseMs: number,
  now: number,
): Promise<number | 'lost'> {
  const { records, settings } = session;
  const expiresAt = now + leaseMs;
  const written = await write(
    session,
    records.keyOf(id),
    {
      condition: isHeld,
      set: ['#expiresAt = :expiresAt', '#wakeAt = :wakeAt'],
      values: { token, expiresAt, wakeAt: expiresAt + settings.maxClockSkewMs },
    },
    'ALL_NEW',
  );
  return written.isDone ? (numberOf(written.item, 'revision') ?? 'lost') : 'lost';
}

export async function release(
  session: Session,
  { id, token, deferUntil }: Release,
): Promise<'released' | 'lost'> {
  const remove = ['#owner', '#expiresAt'];
  const deliveries = '#deliveries = #deliveries - :one';
  const asItWas = [deliveries, '#wakeAt = if_not_exists(#runAt, :zero)'];
  const deferred: Update = {
    condition: [...isHeld, '#runAt < :moment'],
    set: [deliveries, '#runAt = :moment', '#wakeAt = :moment'],
  };
  const notDeferred: Update = {
    condition: [...isHeld, '(attribute_not_exists(#runAt) OR #runAt >= :moment)'],
    set: asItWas,
  };
  const ways =
    deferUntil === undefined ? [{ condition: isHeld, set: asItWas }] : [deferred, notDeferred];
  const values = { token, one: 1, zero: 0, moment: deferUntil ?? null };
  for (let tries = 0; tries < maxTries; tries++) {
    const way = ways[tries % ways.length] ?? notDeferred;
    const written = await write(session, session.records.keyOf(id), { ...way, remove, values });
    if (written.isDone) return 'released';
    const { item, doubt } = written;
    if (numberOf(item, 'token') !== token) return 'lost';
    if (item && !('owner' in item)) {
      if (doubt) throw doubtful(doubt);
      return 'lost';
    }
  }
  throw contended();
}
