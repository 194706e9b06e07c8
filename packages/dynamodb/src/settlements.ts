import type { NewTaskRecord, Settlement } from '@sched/core';
import { SchedError } from '@sched/core';
import { firstOfEach } from '@sched/core/adapter';
import type { Write } from './expressions.js';
import { absent, present, update, write } from './expressions.js';
import type { EntryItem, TaskItem } from './records.js';
import { sortable } from './records.js';
import type { Session, Written } from './session.js';
import { untilAnswered } from './session.js';

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
 */
export function settle(session: Session, settlement: Settlement, now: number): Promise<Answer> {
  const { records } = session;
  const { id, next, token } = settlement;
  // Before anything is waited for, so that entries come in the order in which a call settles.
  const history = putHistory(session, settlement, now);
  const spawn = firstOfEach(settlement.spawn);
  const children = spawn.filter((task) => task.id !== id);
  const heir = next ? undefined : spawn.find((task) => task.id === id);
  /** Of the children, those that are there already, and are only made sure of. */
  const existing = new Set<NewTaskRecord>();
  let seen: TaskItem | undefined;
  return untilAnswered(async () => {
    const creations = children.map((task) =>
      existing.has(task)
        ? write('ConditionCheck', records.keyOf(task.id), present)
        : write('Put', records.encode(task, token), absent),
    );
    const own = settled(session, settlement, heir, seen);
    const [result, ...others] = await session.writeAll([own, ...creations, ...history]);
    if (result && !result.isDone) {
      const answer = refusal(result, settlement);
      if (answer) return answer;
      seen = result.item;
    }
    const failed = children.filter((_, index) => !others[index]?.isDone);
    for (const task of failed) if (!existing.delete(task)) existing.add(task);
    return result?.isDone && failed.length === 0 ? 'settled' : undefined;
  });
}

/** Why a task was not settled; nothing if it is only in another state than was expected. */
function refusal({ item, doubt }: Written, { token, revision, next }: Settlement) {
  if (item?.settled === token) return 'settled';
  if (doubt && !item && !next) throw doubt;
  if (item?.owner === undefined || item.token !== token) return 'lost';
  return item.revision === revision ? undefined : 'conflict';
}

/**
 * @param heir the task of the same id that is spawned as this one is removed
 * @param seen the task, if it was not as most are: scheduled before and after
 */
function settled(
  { records }: Session,
  { id, next, token, revision }: Settlement,
  heir: NewTaskRecord | undefined,
  seen: TaskItem | undefined,
): Write {
  const key = records.keyOf(id);
  const isCurrent = '#token = :token AND attribute_exists(#owner) AND #revision = :expected';
  const values = { token, expected: revision };
  if (heir) return write('Put', records.encode(heir, token), isCurrent, values);
  if (!next) return write('Delete', key, isCurrent, values);
  const { status, runAt, body, paused = false } = next;
  const isOut = paused || status !== 'scheduled';
  const set = {
    ...{ status, runAt, wakeAt: runAt, body, deliveries: 0, owner: null, expiresAt: null },
    ...{ revision: token, settled: token },
    ...(paused && { paused }),
    ...(isOut && { due: null }),
  };
  if (isOut) return update(key, { condition: isCurrent, set, values });
  // Whether it is paused shows in the index, and that stays as it is.
  if (!seen) return update(key, { condition: `${isCurrent} AND #status = :status`, set, values });
  const condition = `${isCurrent} AND attribute_${seen.paused ? '' : 'not_'}exists(#paused)`;
  return update(key, { condition, set, derive: seen.paused ? [] : ['#due = #queue'], values });
}

/** The place of the entry that this process added last. */
let lastPlace = 0;

function putHistory(
  { records, settings }: Session,
  { history, token }: Settlement,
  now: number,
): Write[] {
  return history.map(({ taskId, id, at, body }) => {
    // In a process one after the other, and no process far behind another: their tokens are from one counter.
    lastPlace = Math.max(lastPlace + 1, token);
    const sk = [at, now, lastPlace, token].map(sortable).join('#');
    const expires = Math.ceil((at + settings.historyMaxAgeMs) / 1000);
    // By the time of DynamoDB, which an injected clock says nothing about.
    const isForgotten = !settings.clock && Number.isSafeInteger(expires);
    const entry: EntryItem = { pk: records.historyOf(taskId), sk, id, at, body };
    return write('Put', { ...entry, ...(isForgotten && { expires }) });
  });
}
