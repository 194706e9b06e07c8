import type { AttributeValue, QueryInput } from '@aws-sdk/client-dynamodb';
import type { HistoryEntry, ListRequest, ListResult, TaskFilter, TaskRecord } from '@sched/core';
import { SchedError } from '@sched/core';
import { checkCursor, chunks, isFiltered, matchesFilter } from '@sched/core/adapter';
import type { Item, Texts, Value } from './expressions.js';
import { expressions, textOf } from './expressions.js';
import type { Key } from './records.js';
import { idOf, isKey, sortable, sortKeyOf } from './records.js';
import { mayRetry } from './requests.js';
import type { Session } from './session.js';

/** The most keys that one request of DynamoDB reads. */
const batchSize = 100;
/** What one query looks at, where not everything matches. */
const lookAt = 200;
/** How many queries one page of a listing makes at most. */
const queriesPerPage = 20;
/** What a filter looks at. */
const filtered = '#sk, #name, #queue, #group, #status, #paused, #due, #owner, #expiresAt';

/** The tasks of these ids, of which none comes twice; as they are, not as they were a moment ago. */
export async function read(session: Session, ids: readonly string[]): Promise<TaskRecord[]> {
  const batches = chunks(ids.filter(isKey), batchSize);
  const found = await Promise.all(batches.map((batch) => readBatch(session, batch)));
  return found.flat().map((item) => session.records.decode(item));
}

async function readBatch({ records, call }: Session, ids: readonly string[]): Promise<Item[]> {
  const { table } = records;
  const items: Item[] = [];
  let keys: Key[] = ids.map((id) => records.keyOf(id));
  for (let retries = 0; keys.length > 0; ) {
    const request = { RequestItems: { [table]: { Keys: keys, ConsistentRead: true } } };
    const { Responses = {}, UnprocessedKeys = {} } = await call('BatchGetItem', request);
    const read = Responses[table] ?? [];
    items.push(...read);
    keys = UnprocessedKeys[table]?.Keys ?? [];
    // An answer that is full leaves some to be read at once; one that is empty was throttled.
    if (keys.length === 0 || read.length > 0) continue;
    if (!(await mayRetry(retries++))) {
      throw new SchedError(
        'SCHED_STORE_UNAVAILABLE',
        `DynamoDB failed: it kept leaving keys unprocessed. Check the capacity of ${table}.`,
      );
    }
  }
  return items;
}

/** All that a query finds, page by page. */
async function* query(
  { records, call }: Session,
  input: Omit<QueryInput, 'TableName'>,
): AsyncGenerator<{ readonly items: readonly Item[]; readonly count: number }> {
  let from: Record<string, AttributeValue> | undefined;
  do {
    const page = await call('Query', {
      TableName: records.table,
      ...input,
      ...(from && { ExclusiveStartKey: from }),
    });
    yield { items: page.Items ?? [], count: page.Count ?? 0 };
    from = page.LastEvaluatedKey;
  } while (from);
}

/** The tasks of a group, or of a shard, after a sort key. */
function tasksOf(
  { records }: Session,
  place: { readonly group: string } | { readonly shard: number },
  after: string,
  texts: Texts = {},
) {
  const isGroup = 'group' in place;
  const values: Record<string, Value> = {
    place: isGroup ? records.groupOf(place.group) : records.partition(place.shard),
    after,
  };
  const key = isGroup ? '#group' : '#pk';
  const condition = `${key} = :place${after === '' ? '' : ' AND #sk > :after'}`;
  return {
    ...(isGroup ? { IndexName: 'group' } : { ConsistentRead: true }),
    ...expressions({ ...texts, KeyConditionExpression: condition }, values),
  };
}

export async function list(
  session: Session,
  { after = '0.', limit, ...filter }: ListRequest,
  now: number,
): Promise<ListResult> {
  const { records, call } = session;
  checkCursor(after, /^\d{1,3}\./);
  const [first = ''] = after.split('.', 1);
  const id = after.slice(first.length + 1);
  const places = placesOf(session, filter);
  const tasks: TaskRecord[] = [];
  let [at, last] = [Number(first), id];
  for (let count = 0; at < places.length; count++) {
    if (tasks.length >= limit || count === queriesPerPage) return { tasks, next: `${at}.${last}` };
    const wanted = limit - tasks.length;
    const place = places[at] ?? { shard: 0 };
    const { Items = [], LastEvaluatedKey } = await call('Query', {
      TableName: records.table,
      Limit: Math.min(isFiltered(filter) ? lookAt : wanted, 2 ** 31 - 1),
      ...tasksOf(session, place, last),
    });
    const found = 'group' in place ? await current(session, Items) : Items.map(decode(session));
    const matching = found.filter((task) => matchesFilter(task, filter, now));
    tasks.push(...matching.slice(0, wanted));
    if (matching.length > wanted) last = sortKeyOf(tasks.at(-1)?.id ?? '');
    else if (LastEvaluatedKey) last = textOf(LastEvaluatedKey, 'sk') ?? last;
    else [at, last] = [at + 1, ''];
  }
  return { tasks, next: null };
}

const decode =
  ({ records }: Session) =>
  (item: Item) =>
    records.decode(item);

/** The tasks of an index, in its order, as they are now. */
async function current(session: Session, items: readonly Item[]): Promise<TaskRecord[]> {
  const ids = items.map(idOf);
  const tasks = new Map((await read(session, ids)).map((task) => [task.id, task]));
  return ids.flatMap((id) => tasks.get(id) ?? []);
}

function placesOf({ records }: Session, { group }: TaskFilter) {
  if (typeof group === 'string') return [{ group }];
  return Array.from({ length: records.shards }, (_, shard) => ({ shard }));
}

export async function count(session: Session, filter: TaskFilter, now: number): Promise<number> {
  const counts = placesOf(session, filter).map(async (place) => {
    let sum = 0;
    if (!isFiltered(filter)) {
      const input = { ...tasksOf(session, place, ''), Select: 'COUNT' as const };
      for await (const { count } of query(session, input)) sum += count;
      return sum;
    }
    const texts = 'group' in place ? {} : { ProjectionExpression: filtered };
    for await (const { items } of query(session, tasksOf(session, place, '', texts))) {
      const tasks = 'group' in place ? await current(session, items) : items.map(decode(session));
      sum += tasks.filter((task) => matchesFilter(task, filter, now)).length;
    }
    return sum;
  });
  return (await Promise.all(counts)).reduce((sum, each) => sum + each, 0);
}

/** The keys of all tasks, or of those of a group. */
export async function* keysOf(
  session: Session,
  group: string | undefined,
): AsyncGenerator<readonly Key[]> {
  for (const place of placesOf(session, group === undefined ? {} : { group })) {
    const input = tasksOf(session, place, '', { ProjectionExpression: '#pk, #sk' });
    for await (const { items } of query(session, input)) {
      yield items.map(({ pk, sk }) => ({ pk, sk }) as Key);
    }
  }
}

export async function history(
  session: Session,
  taskId: string,
  limit: number,
  now: number,
): Promise<HistoryEntry[]> {
  const { records, settings } = session;
  const { historyLimit, historyMaxAgeMs } = settings;
  const oldest = Math.max(now - historyMaxAgeMs, -9e15);
  const input = {
    ConsistentRead: true,
    ScanIndexForward: false,
    Limit: Math.min(historyLimit, 1000),
    ...expressions(
      { KeyConditionExpression: '#pk = :history AND #sk >= :oldest' },
      { history: records.historyOf(taskId), oldest: sortable(oldest) },
    ),
  };
  const added = new Map<string, { entry: HistoryEntry; order: string }>();
  for await (const { items } of query(session, input)) {
    for (const item of items) {
      const entry = records.decodeEntry(taskId, item);
      // When it was added: whatever was added under this id before is what counts.
      const order = (textOf(item, 'sk') ?? '').slice(sortable(0).length);
      const other = added.get(entry.id);
      if (!other) added.set(entry.id, { entry, order });
      else if (order < other.order) {
        added.delete(entry.id);
        added.set(entry.id, { entry, order });
      }
    }
    if (added.size >= historyLimit) break;
  }
  return [...added.values()].slice(0, limit).map(({ entry }) => entry);
}
