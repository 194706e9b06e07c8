/** @jsxImportSource preact */

import { Fragment } from 'preact';
import { useState } from 'preact/hooks';
import { canAdmin, canOperate, get, Problem, taskPath } from './api.js';
import { act, actionWords, ask } from './bulk.js';
import { EditDialog } from './edit.js';
import { duration, moment, number, plural, pretty } from './format.js';
import { Occurrences } from './occurrences.js';
import {
  At,
  Empty,
  Head,
  Loaded,
  Ms,
  now,
  OutcomeBadge,
  Owner,
  Panel,
  Progress,
  Scroll,
  StateBadge,
  TaskLink,
  Title,
  Trouble,
  When,
} from './parts.js';
import { useQuery } from './query.js';
import { RescheduleDialog } from './reschedule.js';
import { href, navigate, storeAlias } from './router.js';
import { readHealth } from './stores.js';
import type { Runs, RunView, ShownTask } from './types.js';
import { durationMs, latenessMs, policyWords, reasonWords } from './words.js';

export function Task({ id }: { id: string }) {
  const task = useQuery(`task ${id}`, (signal) =>
    get<ShownTask>(taskPath(id), { occurrences: 10 }, signal),
  );
  const { data, problem } = task;
  if (problem instanceof Problem && problem.status === 404) {
    return (
      <>
        <Title>{id}</Title>
        <p>There is no such task, or no longer. What is known of its runs is below.</p>
        <History id={id} parent={null} />
      </>
    );
  }
  return (
    <>
      <Title aside={data && <Actions task={data} onChanged={task.reload} />}>
        <span class="id">{id}</span>
        {data && <StateBadge state={data.state} isPaused={data.isPaused} />}
      </Title>
      <Trouble problem={problem} />
      {data ? (
        <>
          <About task={data} />
          {data.state === 'running' && <InProgress task={data} />}
          <div class="columns">
            <Schedule task={data} />
            <div class="stack">
              <PayloadPanel task={data} />
              <Policies task={data} />
            </div>
          </div>
        </>
      ) : (
        !problem && <Empty>Loading…</Empty>
      )}
      <History id={id} parent={data?.parent ?? null} />
    </>
  );
}

interface ActionsProps {
  task: ShownTask;
  onChanged: () => void;
}

function Actions({ task, onChanged }: ActionsProps) {
  const [open, setOpen] = useState<'edit' | 'reschedule'>();
  const { id, state, isPaused } = task;
  const does = (action: 'pause' | 'resume' | 'run' | 'retry') => (
    <button type="button" onClick={() => act(action, id).then(onChanged)}>
      {actionWords[action].name}
    </button>
  );
  const close = () => setOpen(undefined);
  return (
    <>
      {canOperate() && (
        <>
          {does('run')}
          {state === 'failed' && does('retry')}
          {does(isPaused ? 'resume' : 'pause')}
          {state === 'running' && (
            <button type="button" onClick={() => ask('cancel', { tasks: [task] }, onChanged)}>
              {actionWords.cancel.name}
            </button>
          )}
        </>
      )}
      {canAdmin() && (
        <>
          <button type="button" onClick={() => setOpen('reschedule')}>
            Reschedule
          </button>
          <button type="button" onClick={() => setOpen('edit')}>
            Edit
          </button>
          <button
            type="button"
            class="danger"
            onClick={() => ask('remove', { tasks: [task] }, () => navigate(href(['tasks'])))}
          >
            {actionWords.remove.name}
          </button>
        </>
      )}
      {open === 'edit' && <EditDialog task={task} onClose={close} onSaved={onChanged} />}
      {open === 'reschedule' && (
        <RescheduleDialog task={task} onClose={close} onSaved={onChanged} />
      )}
    </>
  );
}

function About({ task }: { task: ShownTask }) {
  const { name, queue, group, state, runAt, attempt, policies, parent, error, nominal, lastRun } =
    task;
  const attempts = (policies.retry?.limit ?? 0) + 1;
  return (
    <>
      {error && (
        <p class="trouble">
          {error.message} <code>{error.code}</code>
        </p>
      )}
      <dl class="facts" data-testid="facts">
        <div>
          <dt>Name</dt>
          <dd>
            <a href={href(['tasks'], { name })}>{name}</a>
          </dd>
        </div>
        <div>
          <dt>Queue</dt>
          <dd>
            <a href={href(['tasks'], { queue })}>{queue}</a>
          </dd>
        </div>
        <div>
          <dt>Group</dt>
          <dd>{group === null ? '–' : <a href={href(['tasks'], { group })}>{group}</a>}</dd>
        </div>
        <div>
          <dt>{state === 'running' ? 'Due' : 'Next run'}</dt>
          <dd>
            {runAt ? (
              <>
                <When at={runAt} /> <span class="faint">{moment(runAt)}</span>
              </>
            ) : (
              '–'
            )}
          </dd>
        </div>
        {attempt > 1 && (
          <div>
            <dt>Attempt</dt>
            <dd>
              {attempt} of {attempts}
              {nominal && <span class="faint"> for {moment(nominal)}</span>}
            </dd>
          </div>
        )}
        {lastRun && (
          <div>
            <dt>Last run</dt>
            <dd>
              <OutcomeBadge outcome={lastRun.outcome} /> <When at={lastRun.endedAt} />
            </dd>
          </div>
        )}
        {parent !== null && (
          <div>
            <dt>A run of</dt>
            <dd>
              <TaskLink id={parent} />
            </dd>
          </div>
        )}
      </dl>
    </>
  );
}

function InProgress({ task: { id, lease, report, attempt, nominal } }: { task: ShownTask }) {
  const health = useQuery('health', readHealth, 5000);
  const alias = storeAlias.value ?? health.data?.stores[0]?.alias;
  const here = health.data?.runs.find((run) => run.id === id && run.store === alias);
  return (
    <Panel title="The run in progress" testId="in-progress">
      <dl class="facts">
        <div>
          <dt>Progress</dt>
          <dd>
            <Progress value={report?.progress} label={`Progress of ${id}`} />
          </dd>
        </div>
        <div>
          <dt>Worker</dt>
          <dd>{lease && <Owner name={lease.owner} />}</dd>
        </div>
        <div>
          <dt>Lease ends</dt>
          <dd>{lease && <When at={lease.expiresAt} />}</dd>
        </div>
        {here && (
          <div>
            <dt>Runs for</dt>
            <dd>{duration(Math.max(0, now.value - Date.parse(here.startedAt)))}</dd>
          </div>
        )}
        <div>
          <dt>Attempt</dt>
          <dd>{attempt}</dd>
        </div>
        {nominal && (
          <div>
            <dt>For</dt>
            <dd>{moment(nominal)}</dd>
          </div>
        )}
      </dl>
      <LogLines lines={report?.log} />
    </Panel>
  );
}

function LogLines({ lines }: { lines: RunView['log'] }) {
  if (!lines || lines.length === 0) return null;
  return (
    <Scroll label="Log">
      <ol class="log" data-testid="log">
        {lines.map(({ at, text }, index) => (
          <li key={`${index} ${at}`}>
            <At at={at} /> <span>{text}</span>
          </li>
        ))}
      </ol>
    </Scroll>
  );
}

function Schedule({ task: { trigger, declaredAt, occurrences, isPaused } }: { task: ShownTask }) {
  return (
    <Panel title="Schedule" testId="schedule">
      <p class="lead" data-testid="trigger-words">
        {trigger?.words ?? 'Its trigger cannot be read here.'}
        {declaredAt && (
          <span class="faint">
            {' '}
            declared <When at={declaredAt} />
          </span>
        )}
      </p>
      {isPaused && (
        <p class="note-line">It is paused: these pass without a run until it is resumed.</p>
      )}
      <Occurrences
        label="The next occurrences"
        occurrences={occurrences}
        zone={trigger?.timeZone ?? null}
      />
      {trigger && (
        <details>
          <summary>Stored form</summary>
          <pre>{pretty(trigger.json)}</pre>
        </details>
      )}
    </Panel>
  );
}

function Policies({ task: { policies } }: { task: ShownTask }) {
  const words = policyWords(policies);
  return (
    <Panel title="Policies" testId="policies">
      {words.length === 0 && <Empty>This server does not have the definition of the task.</Empty>}
      <dl class="policies">
        {words.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}

function PayloadPanel({ task: { payload, payloadWithheld } }: { task: ShownTask }) {
  return (
    <Panel title="Payload" testId="payload">
      {payloadWithheld && <Empty>The payload is withheld: to redact it has failed.</Empty>}
      {payload !== undefined && (
        <Scroll label="Payload">
          <pre>{pretty(payload)}</pre>
        </Scroll>
      )}
      {payload === undefined && !payloadWithheld && <Empty>There is none.</Empty>}
    </Panel>
  );
}

const firstEntries = 30;
const mostEntries = 1000;

function History({ id, parent }: { id: string; parent: string | null }) {
  const [limit, setLimit] = useState(firstEntries);
  const history = useQuery(`history ${id} ${limit}`, (signal) =>
    get<Runs>(taskPath(id, '/history'), { limit }, signal),
  );
  return (
    <Panel title="History" testId="history">
      <Loaded of={history}>
        {({ runs }) =>
          runs.length === 0 ? (
            <Empty>
              {parent === null ? (
                'Nothing is known: it has not run, or the store keeps no history.'
              ) : (
                <>
                  How it ends will be in the history of <TaskLink id={parent} />.
                </>
              )}
            </Empty>
          ) : (
            <>
              <Scroll label="History">
                <table>
                  <Head
                    columns={[
                      'Ended',
                      'Outcome',
                      'Occurrence',
                      { name: 'Late by', class: 'number' },
                      { name: 'Took', class: 'number' },
                      { name: 'Attempt', class: 'number' },
                      'What happened',
                      'Worker',
                    ]}
                  />
                  <tbody>
                    {runs.map((run, index) => (
                      <HistoryRow key={`${runs.length - index} ${run.endedAt}`} run={run} />
                    ))}
                  </tbody>
                </table>
              </Scroll>
              {runs.length === limit && limit < mostEntries && (
                <footer class="more">
                  <span>{number(runs.length)} shown</span>
                  <button type="button" onClick={() => setLimit(Math.min(mostEntries, limit * 4))}>
                    Show more
                  </button>
                </footer>
              )}
            </>
          )
        }
      </Loaded>
    </Panel>
  );
}

function HistoryRow({ run }: { run: RunView }) {
  const { outcome, endedAt, nominal, lastNominal, attempt, owner } = run;
  return (
    <tr class={`outcome-${outcome}`}>
      <td class="nowrap">
        <At at={endedAt} />
      </td>
      <td>
        <OutcomeBadge outcome={outcome} />
      </td>
      <td class="nowrap">
        <At at={nominal} />
        {lastNominal && lastNominal !== nominal && (
          <>
            {' – '}
            <At at={lastNominal} />
          </>
        )}
      </td>
      <td class="number">
        <Ms value={latenessMs(run)} />
      </td>
      <td class="number">
        <Ms value={durationMs(run)} />
      </td>
      <td class="number">{attempt ?? <span class="faint">–</span>}</td>
      <td class="words">
        <Happened run={run} />
      </td>
      <td>{owner ? <Owner name={owner} /> : <span class="faint">–</span>}</td>
    </tr>
  );
}

/** Why it did not run, what went wrong, what was told. */
function Happened({ run }: { run: RunView }) {
  const { outcome, count = 1, reason, error, retryAt, childId, log, result, resultWithheld } = run;
  const told = (log?.length ?? 0) > 0 || result !== undefined;
  const many = count >= 1000 ? '1,000 or more occurrences' : plural(count, 'occurrence');
  return (
    <>
      {outcome === 'skipped' && (
        <span data-testid="reason">
          {many} did not run. {reason && reasonWords[reason]}
        </span>
      )}
      {outcome === 'interrupted' && reason && <span>{reasonWords[reason]}</span>}
      {error && (
        <span class="error">
          {error.name}: {error.message} {error.code && <code>{error.code}</code>}
        </span>
      )}
      {retryAt && (
        <Fragment>
          {' '}
          <span class="faint">
            Next attempt at <At at={retryAt} />.
          </span>
        </Fragment>
      )}
      {childId && (
        <Fragment>
          {' '}
          Run by <TaskLink id={childId} />
        </Fragment>
      )}
      {resultWithheld && <span class="faint"> The result is withheld.</span>}
      {told && (
        <details>
          <summary>{log ? plural(log.length, 'line') : 'Result'}</summary>
          <LogLines lines={log} />
          {result !== undefined && <pre>{pretty(result)}</pre>}
        </details>
      )}
    </>
  );
}
