import type { HistoryEvent, HistoryRun } from '@sched/core/conformance';
import { checkHistory, recordedOutcome } from '@sched/core/conformance';
import { type Evidence, historyLimit } from './campaign.ts';
import type { JournalEntry, Run } from './journal.ts';

/** What contradicts the promises; nothing where all were kept. */
export function judge(evidence: Evidence): string[] {
  const { problems, histories, expected } = evidence;
  // Whatever else there is follows from it.
  if (problems.length > 0) return [...problems];
  const cut = [...histories].filter(([, history]) => history.length >= historyLimit);
  return [
    ...cut.map(([id]) => `${id}: has a history that may not be whole`),
    ...checkHistory(historyOf(evidence), expected).map(({ id, sentence }) => `${id}: ${sentence}`),
  ];
}

/** What workers wrote down, then what the store says of it, and then what it has left. */
function historyOf({ journal, histories, tasks }: Evidence): HistoryEvent[] {
  return [
    ...journal.map(eventOf),
    ...[...histories].flatMap(([id, history]) => history.map((info) => recordedOutcome(id, info))),
    ...tasks.map(
      ({ id, state, lease }): HistoryEvent => ({
        ...{ type: 'left', id, state, leasedTo: lease?.owner ?? null },
      }),
    ),
  ];
}

const types = {
  began: 'started',
  ended: 'returned',
  failed: 'threw',
  recorded: 'acknowledged',
} as const;

function eventOf(entry: JournalEntry): HistoryEvent {
  if (entry.kind === 'storeError') {
    const { worker, call, code } = entry;
    return { type: 'refused', owner: worker, call, code };
  }
  return { type: types[entry.kind], ...runOf(entry.run) };
}

/** An occurrence that was given a task of its own is called `<task>@<nominal time>`. */
function runOf(run: Run): HistoryRun {
  const id = run.id.replace(/@\d+$/, '');
  return id === run.id ? run : { ...run, id, child: run.id };
}
