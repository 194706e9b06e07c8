import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { HistoryEntry, NewTaskRecord, Settlement } from '@sched/core';
import { SchedError } from '@sched/core';
import { firstOfEach } from '@sched/core/adapter';
import { contended, doubtful } from './errors.js';
import type { Item } from './expressions.js';
import { expressions, numberOf, textOf } from './expressions.js';
import type { Session, Written } from './session.js';

/** How often a settlement is tried while others pause and resume the task, or create and remove what it spawns. */
const maxTries = 10;
/** The most that one transaction of DynamoDB writes. */
const maxActions = 100;
const maxBytes = 4 * 1024 * 1024;
/** What an item has beside its body, at most. */
const envelopeBytes = 8 * 1024;

type Answer = 'settled' | 'conflict' | 'lost';

/** @throws SchedError for what does not fit into one transaction */
export function checkSettlement({ next, history, spawn }: Settlement): void {
  const bodies = [next, ...history, ...spawn].flatMap((each) => each?.body ?? []);
  const bytes = bodies.reduce((sum, body) => sum + Buffer.byteLength(body) + envelopeBytes, 0);
  if (bytes > maxBytes || history.length + spawn.length >= maxActions) {
    throw new SchedError(
      'SCHED_PAYLOAD_TOO_LARGE',
      `A settlement with ${history.length} history entries and ${spawn.length} spawned tasks of ${bytes} bytes in all is more than one transaction of DynamoDB takes.`,
    );
  }
}

/**
 * Settles one task. Alone, that is one write; with a history, or with tasks that it spawns, one transaction.
 *
 * The token of the lease becomes the revision of the task, and of what is spawned: it is a number of its own, that no
 * other task has ever had.
 *
 * @param history from {@link putHistory}
 */
export async function settle(
  session: Session,
  settlement: Settlement,
  history: readonly TransactWriteItem[],
): Promise<Answer> {
  const { id, next, token } = settlement;
  const spawn = firstOfEach(settlement.spawn);
  const children = spawn.filter((task) => task.id !== id);
  const heir = next ? undefined : spawn.find((task) => task.id === id);
  /** Of the children, those that are there already. */
  const present = new Set<number>();
  let seen: Item | undefined;
  for (let tries = 0; tries < maxTries; tries++) {
    const own = heir ? succession(session, settlement, heir) : outcome(session, settlement, seen);
    const results =
      history.length + children.length === 0
        ? [await session.write(own)]
        : await session.writeAll([
            own,
            ...children.map((task, index) => create(session, task, token, present.has(index))),
            ...history,
          ]);
    const failed = results?.findIndex(({ isDone }) => !isDone) ?? -1;
    const result = results?.[failed];
    if (!result) return 'settled';
    if (failed === 0) {
      const answer = refusal(result, settlement);
      if (answer) return answer;
      seen = result.item;
    }
    results?.slice(1, children.length + 1).forEach(({ isDone }, index) => {
      if (isDone) return;
      if (!present.delete(index)) present.add(index);
    });
  }
  throw contended();
}

/** Why a task was not settled; nothing if it is only in another state than was expected. */
function refusal(result: Written, { token, revision, next }: Settlement): Answer | undefined {
  const { item } = result;
  if (numberOf(item, 'settled') === token) return 'settled';
  if (!result.isDone && result.doubt && !item && !next) throw doubtful(result.doubt);
  if (!item || textOf(item, 'owner') === null || numberOf(item, 'token') !== token) return 'lost';
  return numberOf(item, 'revision') === revision ? undefined : 'conflict';
}

const isCurrent = '#token = :token AND attribute_exists(#owner) AND #revision = :revision';

/** @param seen the task, if it was not as most are: scheduled before and after */
function outcome(
  { records }: Session,
  { id, token, revision, next }: Settlement,
  seen: Item | undefined,
): TransactWriteItem {
  const target = { TableName: records.table, Key: records.keyOf(id) };
  if (!next) {
    const condition = { ConditionExpression: isCurrent };
    return { Delete: { ...target, ...expressions(condition, { token, revision }) } };
  }
  const { status, runAt, body, paused = false } = next;
  const sets = [
    '#status = :status, #body = :body, #deliveries = :none, #revision = :token, #settled = :token',
  ];
  const removes = ['#owner', '#expiresAt'];
  const conditions = [isCurrent];
  if (runAt === null) removes.push('#runAt', '#wakeAt');
  else sets.push('#runAt = :runAt, #wakeAt = :runAt');
  if (paused) sets.push('#paused = :paused');
  if (paused || status !== 'scheduled') {
    removes.push('#due');
  } else if (!seen) {
    // Whether it is paused shows in the index, and that stays as it is.
    conditions.push('#status = :status');
  } else if ('paused' in seen) {
    conditions.push('attribute_exists(#paused)');
  } else {
    conditions.push('attribute_not_exists(#paused)');
    sets.push('#due = #queue');
  }
  const update = expressions(
    {
      ConditionExpression: conditions.join(' AND '),
      UpdateExpression: `SET ${sets.join(', ')} REMOVE ${removes.join(', ')}`,
    },
    { token, revision, status, body, none: 0, runAt, paused },
  );
  return { Update: { ...target, ...update } };
}

/** A task that is removed, and of whose id one is spawned. */
function succession(
  { records }: Session,
  { token, revision }: Settlement,
  heir: NewTaskRecord,
): TransactWriteItem {
  const condition = expressions({ ConditionExpression: isCurrent }, { token, revision });
  return {
    Put: { TableName: records.table, Item: records.encode(heir, token), ...condition },
  };
}

/** @param isPresent whether the task is expected to be there, and is only made sure of */
function create(
  { records }: Session,
  task: NewTaskRecord,
  revision: number,
  isPresent: boolean,
): TransactWriteItem {
  const TableName = records.table;
  if (isPresent) {
    const condition = expressions({ ConditionExpression: 'attribute_exists(#pk)' }, {});
    return { ConditionCheck: { TableName, Key: records.keyOf(task.id), ...condition } };
  }
  const condition = expressions({ ConditionExpression: 'attribute_not_exists(#pk)' }, {});
  return { Put: { TableName, Item: records.encode(task, revision), ...condition } };
}

/** What adds the history of a settlement. */
export function putHistory(
  session: Session,
  { history, token }: Settlement,
  now: number,
): TransactWriteItem[] {
  return history.map((entry) => putEntry(session, entry, now, token));
}

/** The place of the entry that this process added last. */
let lastPlace = 0;

function putEntry(
  { records, settings }: Session,
  entry: HistoryEntry,
  now: number,
  token: number,
): TransactWriteItem {
  // In a process one after the other, and no process far behind another: their tokens are from one counter.
  lastPlace = Math.max(lastPlace + 1, token);
  const expires = Math.ceil((entry.at + settings.historyMaxAgeMs) / 1000);
  // By the time of DynamoDB, which an injected clock says nothing about.
  const isForgotten = !settings.clock && Number.isSafeInteger(expires);
  return {
    Put: {
      TableName: records.table,
      Item: {
        ...records.encodeEntry(entry, now, lastPlace, token),
        ...(isForgotten && { expires: { N: String(expires) } }),
      },
    },
  };
}
