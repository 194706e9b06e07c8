/** @jsxImportSource preact */

import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { canAdmin, get, Problem } from './api.js';
import { actionWords, ask, may } from './bulk.js';
import { plural } from './format.js';
import { NewTaskDialog } from './new-task.js';
import {
  At,
  Empty,
  Head,
  OutcomeBadge,
  Scroll,
  Select,
  StateBadge,
  TaskLink,
  Title,
  Trouble,
  When,
} from './parts.js';
import { useQuery } from './query.js';
import { readTasks } from './read-tasks.js';
import { href, navigate, route, storeAlias } from './router.js';
import { definitions } from './stores.js';
import type { Action, Filter, Summary, TaskPage, TaskState, TaskView } from './types.js';
import { stateWords } from './words.js';

const pageSize = 50;

/** The filter that the address names. */
function filterOf(params: URLSearchParams): Filter {
  const text = (name: string) => params.get(name) || undefined;
  const state = Object.keys(stateWords).find((each) => each === params.get('state'));
  const given = {
    state: state as TaskState | undefined,
    ...{ name: text('name'), queue: text('queue'), group: text('group') },
    ungrouped: params.get('ungrouped') === 'true' || undefined,
    idPrefix: text('idPrefix'),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function filterWords(filter: Filter): string {
  const { state, name, queue, group, ungrouped, idPrefix } = filter;
  const parts = [
    ...(name ? [`of ${name}`] : []),
    ...(queue ? [`in the queue ${queue}`] : []),
    ...(group ? [`in the group ${group}`] : []),
    ...(ungrouped ? ['without a group'] : []),
    ...(idPrefix ? [`whose ids begin with ${idPrefix}`] : []),
  ];
  return [state ? `${stateWords[state].toLowerCase()} tasks` : 'all tasks', ...parts].join(' ');
}

export function Tasks() {
  const { params } = route.value;
  const filter = filterOf(params);
  const key = `${storeAlias.value} ${JSON.stringify(filter)}`;
  // Another filter is another list, with nothing selected.
  return (
    <>
      <Title aside={canAdmin() && definitions.value.length > 0 && <NewTask />}>Tasks</Title>
      <Filters filter={filter} />
      <List key={key} filter={filter} />
    </>
  );
}

function NewTask() {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <>
      <button type="button" onClick={() => setIsOpen(true)}>
        New task
      </button>
      {isOpen && <NewTaskDialog onClose={() => setIsOpen(false)} />}
    </>
  );
}

function Filters({ filter }: { filter: Filter }) {
  const summary = useQuery('summary', (signal) => get<Summary>('summary', {}, signal), 30_000);
  const set = (name: keyof Filter, value: string) => {
    const { ungrouped, ...rest } = filter;
    const others = name === 'group' ? rest : { ...rest, ...(ungrouped && { ungrouped }) };
    navigate(href(['tasks'], { ...others, [name]: value }), { replace: true });
  };
  const { data } = summary;
  const isFiltered = Object.keys(filter).length > 0;
  return (
    <form
      class="filters"
      aria-label="Which tasks"
      onSubmit={(event) => event.preventDefault()}
      data-testid="filters"
    >
      <Select
        label="State"
        value={filter.state ?? ''}
        options={[['', 'Any'], ...Object.entries(stateWords)]}
        onSet={(value) => set('state', value)}
      />
      <Choice
        label="Name"
        value={filter.name}
        values={data?.names}
        onSet={(value) => set('name', value)}
      />
      <Choice
        label="Queue"
        value={filter.queue}
        values={data?.queues}
        onSet={(value) => set('queue', value)}
      />
      <Choice
        label="Group"
        value={filter.group}
        values={data?.groups}
        onSet={(value) => set('group', value)}
      />
      <Choice
        label="Id begins with"
        value={filter.idPrefix}
        onSet={(value) => set('idPrefix', value)}
      />
      {isFiltered && (
        <a class="button" href={href(['tasks'])}>
          Clear
        </a>
      )}
    </form>
  );
}

interface ChoiceProps {
  label: string;
  value: string | undefined;
  values?: readonly { readonly value: string | null }[] | undefined;
  onSet: (value: string) => void;
}

/** How long to wait for the next key. */
const typingMs = 350;

/** A text with suggestions: there may be values that the summary has not seen. */
function Choice({ label, value = '', values, onSet }: ChoiceProps) {
  const id = useId();
  const [text, setText] = useState(value);
  const waiting = useRef<number | undefined>(undefined);
  useEffect(() => setText(value), [value]);
  const later = (next: string) => {
    setText(next);
    clearTimeout(waiting.current);
    waiting.current = window.setTimeout(() => onSet(next), typingMs);
  };
  return (
    <label>
      <span>{label}</span>
      <input
        type="text"
        list={values && id}
        value={text}
        autoComplete="off"
        spellcheck={false}
        maxLength={255}
        onInput={(event) => later(event.currentTarget.value)}
        onChange={(event) => {
          clearTimeout(waiting.current);
          if (event.currentTarget.value !== value) onSet(event.currentTarget.value);
        }}
      />
      {values && (
        <datalist id={id}>
          {values.flatMap((each) =>
            each.value === null ? [] : [<option key={each.value} value={each.value} />],
          )}
        </datalist>
      )}
    </label>
  );
}

/** For how long to leave what is shown, at least, for each task of it. */
const restMsEach = 20;

/** What a search has found after its first answer. */
interface Further extends TaskPage {
  readonly first: TaskPage;
}

function List({ filter }: { filter: Filter }) {
  const [wanted, setWanted] = useState(pageSize);
  const [further, setFurther] = useState<Further>();
  const [trouble, setTrouble] = useState<Problem>();
  const [isSearching, setIsSearching] = useState(false);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const isSearch = filter.idPrefix !== undefined;
  const query = useQuery(
    `tasks ${JSON.stringify(filter)} ${wanted}`,
    (signal) => readTasks(filter, wanted, signal),
    // A search reads task after task, so it is not repeated unasked.
    isSearch ? Number.POSITIVE_INFINITY : wanted * restMsEach,
  );
  // Until there are more, those that were there are shown.
  const before = useRef<TaskPage | undefined>(undefined);
  const first = query.data ?? before.current;
  before.current = first;
  const pages = further && further.first === first ? further : first;
  const isReading = isSearching || (query.data === undefined && !query.problem);
  const more = async () => {
    if (!pages?.next || !first) return;
    if (!isSearch && pages.tasks.length >= wanted) {
      setWanted(pages.tasks.length + pageSize);
      return;
    }
    setIsSearching(true);
    try {
      const page = await readTasks(filter, pageSize, undefined, pages.next);
      setFurther({ first, tasks: [...pages.tasks, ...page.tasks], next: page.next });
      setTrouble(undefined);
    } catch (error) {
      if (error instanceof Problem) setTrouble(error);
    }
    setIsSearching(false);
  };
  const done = () => {
    setSelected(new Set());
    query.reload();
  };
  const tasks = pages?.tasks ?? [];
  const chosen = tasks.filter(({ id }) => selected.has(id));
  const isAll = tasks.length > 0 && chosen.length === tasks.length;
  const toggle = (id: string, isChosen: boolean) => {
    const next = new Set(selected);
    if (isChosen) next.add(id);
    else next.delete(id);
    setSelected(next);
  };
  const all = (
    <input
      type="checkbox"
      aria-label="Select all that are shown"
      checked={isAll}
      ref={(box) => {
        if (box) box.indeterminate = chosen.length > 0 && !isAll;
      }}
      onChange={() => setSelected(isAll ? new Set() : new Set(tasks.map(({ id }) => id)))}
    />
  );
  return (
    <section aria-label="List of tasks" class="panel flush">
      <Bar filter={filter} chosen={chosen} onNone={() => setSelected(new Set())} onDone={done} />
      <Trouble problem={trouble ?? query.problem} />
      <Scroll label="Tasks">
        <table data-testid="tasks" aria-busy={isReading}>
          <Head
            columns={[
              { name: all, class: 'check' },
              ...['Id', 'State', 'Name', 'Queue', 'Group', 'Trigger', 'Next run', 'Last run'],
            ]}
          />
          <tbody>
            {tasks.map((task) => (
              <Row key={task.id} task={task} isChosen={selected.has(task.id)} onToggle={toggle} />
            ))}
          </tbody>
        </table>
      </Scroll>
      {pages && tasks.length === 0 && (
        <Empty>
          {pages.next === null ? 'No task matches.' : 'None among those looked at so far.'}
        </Empty>
      )}
      {!pages && !query.problem && <Empty>Loading…</Empty>}
      <footer class="more">
        <span>
          {plural(tasks.length, 'task')} shown{pages?.next === null && ', that is all'}
        </span>
        {pages?.next != null && (
          <button type="button" onClick={more} disabled={isReading} data-testid="more">
            {isReading ? 'Loading…' : isSearch || tasks.length < wanted ? 'Look on' : 'Show more'}
          </button>
        )}
      </footer>
    </section>
  );
}

interface RowProps {
  task: TaskView;
  isChosen: boolean;
  onToggle: (id: string, isChosen: boolean) => void;
}

function Row({ task, isChosen, onToggle }: RowProps) {
  const { id, name, queue, group, state, isPaused, trigger, runAt, lastRun } = task;
  return (
    <tr class={isChosen ? 'chosen' : ''}>
      <td class="check">
        <input
          type="checkbox"
          aria-label={`Select ${id}`}
          checked={isChosen}
          onChange={(event) => onToggle(id, event.currentTarget.checked)}
        />
      </td>
      <th scope="row">
        <TaskLink id={id} />
      </th>
      <td>
        <StateBadge state={state} isPaused={isPaused} />
      </td>
      <td>{name}</td>
      <td>{queue}</td>
      <td>{group ?? <span class="faint">–</span>}</td>
      <td class="words" title={trigger?.words}>
        {trigger?.words ?? <span class="faint">unreadable</span>}
      </td>
      <td class="nowrap">{runAt ? <When at={runAt} /> : <span class="faint">–</span>}</td>
      <td class="nowrap">
        {lastRun ? (
          <>
            <OutcomeBadge outcome={lastRun.outcome} /> <At at={lastRun.endedAt} />
          </>
        ) : (
          <span class="faint">–</span>
        )}
      </td>
    </tr>
  );
}

const bulkActions: readonly Action[] = ['pause', 'resume', 'run', 'retry', 'remove'];

interface BarProps {
  filter: Filter;
  chosen: readonly TaskView[];
  onNone: () => void;
  onDone: () => void;
}

/** What can be done to those that are selected, or else to all that match. */
function Bar({ filter, chosen, onNone, onDone }: BarProps) {
  const allowed = bulkActions.filter(may);
  const isSome = chosen.length > 0;
  const selection = isSome ? { tasks: chosen } : { filter, words: filterWords(filter) };
  if (allowed.length === 0) return null;
  return (
    <section class="bar" aria-label="Change tasks" data-testid="bulk-bar">
      <span class="what">
        {isSome ? `${plural(chosen.length, 'task')} selected` : `Of ${filterWords(filter)}:`}
      </span>
      {allowed.map((action) => (
        <button
          key={action}
          type="button"
          class={action === 'remove' ? 'danger' : ''}
          onClick={() => ask(action, selection, onDone)}
        >
          {isSome ? actionWords[action].name : actionWords[action].all}
        </button>
      ))}
      {isSome && (
        <button type="button" class="plain" onClick={onNone}>
          Select none
        </button>
      )}
    </section>
  );
}
