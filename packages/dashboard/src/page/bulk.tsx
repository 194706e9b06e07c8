/** @jsxImportSource preact */

/** What can be done to tasks: to one at once, to many after a count. */

import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { canAdmin, canOperate, get, Problem, post, remove, taskPath } from './api.js';
import { number, plural } from './format.js';
import { touch } from './live.js';
import { Dialog, Empty, TaskLink, Trouble, tell } from './parts.js';
import type {
  Action,
  ActionAnswer,
  BulkAnswer,
  Filter,
  Removed,
  TaskPage,
  TaskView,
} from './types.js';

interface ActionWords {
  readonly name: string;
  /** The same, to all that match. */
  readonly all: string;
  readonly done: string;
  /** What it means, and what cannot be undone. */
  readonly note: string;
}

export const actionWords: Readonly<Record<Action, ActionWords>> = {
  pause: {
    name: 'Pause',
    all: 'Pause all',
    done: 'Paused',
    note: 'They will not run until they are resumed. Runs in progress go on.',
  },
  resume: {
    name: 'Resume',
    all: 'Resume all',
    done: 'Resumed',
    note: 'Recurring tasks skip what they have missed. One-off tasks that are due run now.',
  },
  run: {
    name: 'Run now',
    all: 'Run all now',
    done: 'Started',
    note: 'Each runs once more, beside its schedule. This cannot be undone.',
  },
  cancel: {
    name: 'Cancel run',
    all: 'Cancel all runs',
    done: 'Cancelled',
    note: 'Their runs are aborted, and count as failed. This cannot be undone.',
  },
  retry: {
    name: 'Retry',
    all: 'Retry all',
    done: 'Retried',
    note: 'Failed tasks get another chance, with all their attempts. Others are left as they are.',
  },
  remove: {
    name: 'Remove',
    all: 'Remove all',
    done: 'Removed',
    note: 'They are removed, also while they run. Their history stays for a while. This cannot be undone.',
  },
};

/** Whether whoever looks may do it. */
export function may(action: Action): boolean {
  return action === 'remove' ? canAdmin() : canOperate();
}

/** Does something to one task at once. What can be undone, can be. */
export async function act(action: Action, id: string): Promise<boolean> {
  try {
    const path = taskPath(id, `/${action}`);
    const answer =
      action === 'remove' ? await remove<Removed>(taskPath(id)) : await post<ActionAnswer>(path);
    const { done } = actionWords[action];
    const opposite = opposites[action];
    if ('changed' in answer && !answer.changed) tell(`${id}: nothing to do, it was so already.`);
    else if (opposite) tell(`${done} ${id}.`, { undo: () => void act(opposite, id) });
    else tell(`${done} ${id}.`);
    return true;
  } catch (error) {
    tell(`${actionWords[action].name}, ${id}: ${messageOf(error)}`, { isBad: true });
    return false;
  } finally {
    touch();
  }
}

const opposites: Partial<Record<Action, Action>> = { pause: 'resume', resume: 'pause' };

function messageOf(error: unknown): string {
  return error instanceof Problem ? `${error.message} (${error.code})` : String(error);
}

/** Which tasks an action is about. */
export type Selection =
  | { readonly tasks: readonly TaskView[] }
  | { readonly filter: Filter; readonly words: string };

interface Asked {
  readonly action: Action;
  readonly selection: Selection;
  readonly onDone: (() => void) | undefined;
}

const asked = signal<Asked | null>(null);

/** Asks for confirmation, with a count, and then does it. */
export function ask(action: Action, selection: Selection, onDone?: () => void): void {
  asked.value = { action, selection, onDone };
}

export function BulkDialog() {
  const current = asked.value;
  if (!current) return null;
  return <Ask {...current} onClose={() => (asked.value = null)} />;
}

function Ask({ action, selection, onDone, onClose }: Asked & { onClose: () => void }) {
  const [count, setCount] = useState<BulkAnswer>();
  const [result, setResult] = useState<BulkAnswer>();
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setIsBusy] = useState(false);
  const [typed, setTyped] = useState('');
  const { name, note } = actionWords[action];
  // What cannot be brought back takes more than a click where it is not even seen which tasks these are.
  const isTyping = action === 'remove' && 'filter' in selection && (count?.matched ?? 0) > 1;
  useEffect(() => {
    post<BulkAnswer>('bulk', { action, ...orderOf(selection) })
      .then(setCount)
      .catch((error: Problem) => setProblem(error));
  }, [action, selection]);
  const apply = async () => {
    if (!count) return;
    setIsBusy(true);
    setProblem(undefined);
    try {
      const done = await applied(action, selection, count);
      onDone?.();
      if (done.failures.length === 0) onClose();
      else setResult(done);
    } catch (error) {
      if (error instanceof Problem) setProblem(error);
      else throw error;
    } finally {
      setIsBusy(false);
      touch();
    }
  };
  const matched = count && `${number(count.matched)}${count.isComplete ? '' : ' or more'}`;
  return (
    <Dialog title={`${name}: ${wordsOf(selection)}`} onClose={onClose}>
      <Trouble problem={problem} />
      {!count && !problem && <Empty>Counting…</Empty>}
      {count && !result && (
        <p data-testid="bulk-count">
          <strong>
            {matched} {count.matched === 1 && count.isComplete ? 'task' : 'tasks'}
          </strong>
          . {note}
          {action in opposites && !isGathered(selection, count) && (
            <> There are too many of them for this to be undone.</>
          )}
        </p>
      )}
      {isTyping && !result && (
        <label class="typed">
          <span>To remove them, write how many there are: {count?.matched}</span>
          <input
            type="text"
            inputMode="numeric"
            autoComplete="off"
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
            data-testid="bulk-typed"
          />
        </label>
      )}
      {result && (
        <>
          <p>
            {actionWords[action].done} {plural(result.changed, 'task')}. Not these:
          </p>
          <ul class="failures">
            {result.failures.map(({ id, code, message }) => (
              <li key={id}>
                <TaskLink id={id} />: {message} <code>{code}</code>
              </li>
            ))}
          </ul>
        </>
      )}
      <footer>
        <button type="button" onClick={onClose}>
          {result ? 'Close' : 'Cancel'}
        </button>
        {!result && (
          <button
            type="button"
            class={action === 'remove' || action === 'cancel' ? 'danger' : 'primary'}
            disabled={
              !count ||
              count.matched === 0 ||
              isBusy ||
              (isTyping && typed.trim() !== `${count.matched}`)
            }
            onClick={apply}
            data-testid="bulk-confirm"
          >
            {isBusy ? 'Working…' : `${name}${matched ? ` (${matched})` : ''}`}
          </button>
        )}
      </footer>
    </Dialog>
  );
}

function wordsOf(selection: Selection): string {
  if ('filter' in selection) return selection.words;
  const [first] = selection.tasks;
  return selection.tasks.length === 1 && first ? first.id : plural(selection.tasks.length, 'task');
}

function orderOf(selection: Selection): object {
  return 'filter' in selection
    ? { filter: selection.filter }
    : { ids: selection.tasks.map(({ id }) => id) };
}

/** Up to how many tasks to look up before they are paused or resumed, so that this can be undone. */
const gathered = 1000;

/** Whether an action that can be taken back will be remembered task by task. */
function isGathered(selection: Selection, { matched, isComplete }: BulkAnswer): boolean {
  return 'tasks' in selection || (isComplete && matched <= gathered);
}

async function applied(
  action: Action,
  selection: Selection,
  count: BulkAnswer,
): Promise<BulkAnswer> {
  const { matched } = count;
  const opposite = opposites[action];
  const { done } = actionWords[action];
  const tasks = opposite && isGathered(selection, count) && (await tasksOf(selection));
  if (opposite && tasks) {
    // Only those that change, so that to undo it changes no others.
    const ids = tasks
      .filter(({ isPaused }) => isPaused !== (action === 'pause'))
      .map(({ id }) => id);
    if (ids.length === 0) {
      tell('Nothing to do, they were so already.');
      return { ...nothing, matched };
    }
    const answer = await post<BulkAnswer>('bulk', { action, ids, dryRun: false });
    const undo = async () => {
      try {
        const back = await post<BulkAnswer>('bulk', { action: opposite, ids, dryRun: false });
        tell(`${actionWords[opposite].done} ${plural(back.changed, 'task')}.`);
      } catch (error) {
        tell(messageOf(error), { isBad: true });
      }
      touch();
    };
    tell(`${done} ${plural(answer.changed, 'task')}.`, { undo: () => void undo() });
    return answer;
  }
  const order = { action, ...orderOf(selection), dryRun: false };
  let answer = await post<BulkAnswer>(
    'bulk',
    'filter' in selection ? { ...order, atMost: matched } : order,
  );
  let { changed, failures } = answer;
  while (answer.next !== null) {
    answer = await post<BulkAnswer>('bulk', { ...order, atMost: matched, cursor: answer.next });
    changed += answer.changed;
    failures = [...failures, ...answer.failures];
  }
  tell(`${done} ${plural(changed, 'task')}.`);
  return { ...answer, changed, failures };
}

const nothing: Omit<BulkAnswer, 'matched'> = {
  ...{ dryRun: false, isComplete: true, changed: 0, failures: [], next: null },
};

/** The tasks of a selection, unless there are too many by now. */
async function tasksOf(selection: Selection): Promise<readonly TaskView[] | undefined> {
  if ('tasks' in selection) return selection.tasks;
  const tasks: TaskView[] = [];
  let cursor: string | null = '';
  do {
    const page: TaskPage = await get('tasks', { ...selection.filter, limit: 500, cursor });
    tasks.push(...page.tasks);
    cursor = page.next;
  } while (cursor !== null && tasks.length <= gathered);
  return tasks.length > gathered ? undefined : tasks;
}
