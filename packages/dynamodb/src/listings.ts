import type {
  HistoryEntry,
  ListRequest,
  ListResult,
  TaskFilter,
  TaskRecord,
  TaskSelector,
} from '@sched/core';
import { checkCursor, isFiltered, matchesFilter } from '@sched/core/adapter';
import type { Key, Texts } from './expressions.js';
import { expressions } from './expressions.js';
import type { EntryItem, TaskItem } from './records.js';
import { idOf, sortable, sortKeyOf } from './records.js';
import type { QueryOfTable, Session } from './session.js';

/** What one query looks at, where not everything matches. */
const lookAt = 200;
/** How many queries one page of a listing makes at most. */
const queriesPerPage = 20;
/** What a filter looks at. */
const filtered = '#sk, #name, #queue, #group, #status, #paused, #due, #owner, #expiresAt';

/** A shard, in the table itself, or a group, in its index. */
interface Place {
  readonly attribute: 'pk' | 'group';
  readonly value: string;
}

function placesOf({ records }: Session, group: string | null | undefined): Place[] {
  if (typeof group === 'string') return [{ attribute: 'group', value: records.groupOf(group) }];
  return records.shards.map((shard) => ({ attribute: 'pk', value: records.partition(shard) }));
}

/** Asks for the tasks of a place, after a sort key. */
function tasksIn({ attribute, value }: Place, after: string, texts: Texts = {}) {
  const condition = `#${attribute} = :value${after === '' ? '' : ' AND #sk > :after'}`;
  return {
    ...(attribute === 'group' ? { IndexName: 'group' } : { ConsistentRead: true }),
    ...expressions({ ...texts, KeyConditionExpression: condition }, { value, after }),
  };
}

/** What has been found in a place, as it is now: an index knows no more than where its tasks are. */
async function current(
  session: Session,
  { attribute }: Place,
  items: readonly TaskItem[],
): Promise<TaskRecord[]> {
  if (attribute === 'pk') return items.map((item) => session.records.decode(item));
  const ids = items.map(idOf);
  const tasks = new Map((await session.read(ids)).map((task) => [task.id, task]));
  return ids.flatMap((id) => tasks.get(id) ?? []);
}

export async function list(
  session: Session,
  { after = '0.', limit, ...filter }: ListRequest,
  now: number,
): Promise<ListResult> {
  checkCursor(after, /^\d{1,3}\./);
  const [first = ''] = after.split('.', 1);
  const places = placesOf(session, filter.group);
  const tasks: TaskRecord[] = [];
  let [at, last] = [Number(first), after.slice(first.length + 1)];
  for (let queries = 0; ; queries++) {
    const place = places[at];
    if (!place) return { tasks, next: null };
    const wanted = limit - tasks.length;
    if (wanted <= 0 || queries === queriesPerPage) return { tasks, next: `${at}.${last}` };
    const { items, next } = await session.query<TaskItem>({
      Limit: Math.min(isFiltered(filter) ? lookAt : wanted, 2 ** 31 - 1),
      ...tasksIn(place, last),
    });
    const found = await current(session, place, items);
    const matching = found.filter((task) => matchesFilter(task, filter, now));
    tasks.push(...matching.slice(0, wanted));
    if (matching.length > wanted) last = sortKeyOf(tasks.at(-1)?.id ?? '');
    else if (next) last = next.sk;
    else [at, last] = [at + 1, ''];
  }
}

export async function count(session: Session, filter: TaskFilter, now: number): Promise<number> {
  const isAll = !isFiltered(filter);
  const counts = placesOf(session, filter.group).map(async (place) => {
    const isProjected = !isAll && place.attribute === 'pk';
    const input: QueryOfTable = {
      ...tasksIn(place, '', isProjected ? { ProjectionExpression: filtered } : {}),
      ...(isAll && { Select: 'COUNT' }),
    };
    let sum = 0;
    for await (const page of session.pages<TaskItem>(input)) {
      const tasks = await current(session, place, page.items);
      const matching = tasks.filter((task) => matchesFilter(task, filter, now));
      sum += isAll ? page.count : matching.length;
    }
    return sum;
  });
  return (await Promise.all(counts)).reduce((sum, each) => sum + each, 0);
}

/** The keys of all tasks that are selected, whether or not there are such. */
export async function* keysOf(
  session: Session,
  selector: TaskSelector,
): AsyncGenerator<readonly Key[]> {
  const { records } = session;
  if ('ids' in selector) yield selector.ids.map((id) => records.keyOf(id));
  if ('ids' in selector) return;
  const group = 'group' in selector ? selector.group : undefined;
  for (const place of placesOf(session, group)) {
    const input = tasksIn(place, '', { ProjectionExpression: '#pk, #sk' });
    for await (const { items } of session.pages<Key>(input)) yield items;
  }
}

export async function history(
  session: Session,
  taskId: string,
  limit: number,
  now: number,
): Promise<HistoryEntry[]> {
  const { historyLimit, historyMaxAgeMs } = session.settings;
  const oldest = sortable(Math.max(now - historyMaxAgeMs, -9e15));
  const input = {
    ConsistentRead: true,
    ScanIndexForward: false,
    Limit: Math.min(historyLimit, 1000),
    ...expressions(
      { KeyConditionExpression: '#pk = :history AND #sk >= :oldest' },
      { history: session.records.historyOf(taskId), oldest },
    ),
  };
  /** What follows the moment of the run says when an entry was added. */
  const added = ({ sk }: EntryItem) => sk.slice(oldest.length);
  const entries = new Map<string, EntryItem>();
  for await (const { items } of session.pages<EntryItem>(input)) {
    for (const item of items) {
      const other = entries.get(item.id);
      // What was added first under an id is what counts, in its own place.
      if (other && added(other) < added(item)) continue;
      entries.delete(item.id);
      entries.set(item.id, item);
    }
    if (entries.size >= historyLimit) break;
  }
  return [...entries.values()]
    .slice(0, limit)
    .map(({ id, at, body }) => ({ taskId, id, at, body }));
}
