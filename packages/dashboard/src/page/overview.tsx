/** @jsxImportSource preact */

import { get, serverNow } from './api.js';
import { duration, number, plural } from './format.js';
import {
  allRemembered,
  counted,
  isGone,
  perMinute,
  quantile,
  remember,
  sumHistograms,
  totals,
} from './histograms.js';
import { type Activity, activities } from './live.js';
import {
  At,
  Count,
  Empty,
  Loaded,
  Ms,
  now,
  OutcomeBadge,
  Owner,
  Panel,
  Progress,
  Scroll,
  slowNow,
  TaskLink,
  Title,
  When,
} from './parts.js';
import { type Colour, Plot } from './plot.js';
import { type Query, useQuery } from './query.js';
import { readTasks } from './read-tasks.js';
import { type RecentRun, type RecentRuns, useRecentRuns } from './recent-runs.js';
import { href, storeAlias } from './router.js';
import { readHealth } from './stores.js';
import type { Failures, RunView, Summary, TaskPage, TaskState, Upcoming, Worker } from './types.js';
import { latenessMs } from './words.js';

const countColours: Readonly<Record<(typeof counted)[number], Colour>> = {
  succeeded: 'good',
  failed: 'bad',
  retried: 'warn',
  interrupted: 'mute',
  skipped: 'info',
};

const shownRuns = 10;
/** How many minutes of throughput to show: as many as are known, within these bounds. */
const fewestMinutes = 10;
const mostMinutes = 60;
export const throughputNote = 'the last ten minutes, and as long as this page is open';

/** What comes, and when that was so. */
interface Ahead extends Upcoming {
  readonly readAt: number;
}

/** After what time a task that is due is late, and not just about to begin. */
const soonMs = 2000;
const lateMs = 5000;

export function useWorkers(): Query<readonly Worker[]> {
  return useQuery(
    'workers',
    async (signal) => {
      const workers = await get<Worker[]>('workers', {}, signal);
      remember(storeAlias.value, workers, serverNow());
      return workers;
    },
    5000,
  );
}

export function Overview() {
  const summary = useQuery('summary', (signal) => get<Summary>('summary', {}, signal), 10_000);
  const running = useQuery('running', (signal) =>
    readTasks({ state: 'running' }, shownRuns, signal),
  );
  const upcoming = useQuery(
    'upcoming',
    async (signal): Promise<Ahead> => ({
      ...(await get<Upcoming>('upcoming', { limit: askedRuns }, signal)),
      readAt: serverNow(),
    }),
    15_000,
  );
  const workers = useWorkers();
  const recent = useRecentRuns();
  return (
    <>
      <Title>Overview</Title>
      <Figures summary={summary.data} workers={workers.data} upcoming={upcoming.data} />
      <Timeline recent={recent} upcoming={upcoming} />
      <div class="columns">
        <div class="stack">
          <Panel
            title="Running now"
            testId="running"
            aside={<a href={href(['tasks'], { state: 'running' })}>All that run</a>}
          >
            <Loaded of={running}>{(page) => <Running page={page} />}</Loaded>
          </Panel>
          <Panel title="Runs a minute" testId="throughput" aside={throughputNote}>
            <Loaded of={workers}>{() => <Throughput />}</Loaded>
          </Panel>
          <Panel title="Workers" aside={<a href={href(['workers'])}>All about them</a>}>
            <Loaded of={workers}>{(list) => <WorkerTable workers={list} />}</Loaded>
          </Panel>
          <Panel
            title="Latest runs"
            testId="recent"
            aside={recent.data?.isAll === false && 'the last of each task'}
          >
            <Loaded of={recent}>{({ runs }) => <Recent runs={runs} />}</Loaded>
          </Panel>
        </div>
        <div class="stack">
          <Panel title="Next to run" testId="upcoming">
            <Loaded of={upcoming}>{(next) => <Next upcoming={next} />}</Loaded>
          </Panel>
          <FailurePanel />
          <Stores />
          <Panel title="Activity" testId="activity" aside="of the process that serves this page">
            <Feed />
          </Panel>
        </div>
      </div>
    </>
  );
}

interface FiguresProps {
  summary: Summary | undefined;
  workers: readonly Worker[] | undefined;
  upcoming: Ahead | undefined;
}

/** What is to be seen at a glance. */
function Figures({ summary, workers, upcoming }: FiguresProps) {
  const alive = workers?.filter((worker) => !isGone(worker, now.value));
  const running = alive?.reduce((sum, worker) => sum + worker.running, 0);
  const slots = alive?.reduce((sum, worker) => sum + worker.concurrency, 0);
  const ended = workers && totals(perMinute(allRemembered(storeAlias.value), now.value, 10));
  const lateness = workers && sumHistograms(workers.map((worker) => worker.lateness));
  const late = upcoming?.runs.filter(({ at }) => Date.parse(at) < upcoming.readAt - lateMs).length;
  const tasksIn = (state: TaskState) =>
    summary &&
    (summary.isComplete ? (summary.states.find(({ value }) => value === state)?.count ?? 0) : null);
  return (
    <dl class="figures" data-testid="figures">
      <Figure name="Running" note={slots === undefined ? '' : `of ${plural(slots, 'slot')}`}>
        {running ?? '–'}
      </Figure>
      <Figure name="Due, not begun" note="for more than 5 s" tone={late ? 'warn' : ''}>
        {late === undefined
          ? '–'
          : `${number(late)}${late === upcoming?.runs.length && late > 0 ? '+' : ''}`}
      </Figure>
      <Figure name="Scheduled" link={href(['tasks'], { state: 'scheduled' })}>
        {summary ? <Count value={tasksIn('scheduled')} /> : '–'}
      </Figure>
      <Figure name="Paused" link={href(['tasks'], { state: 'paused' })}>
        {summary ? <Count value={tasksIn('paused')} /> : '–'}
      </Figure>
      <Figure name="Failed" link={href(['failures'])} tone={tasksIn('failed') ? 'bad' : ''}>
        {summary ? <Count value={tasksIn('failed')} /> : '–'}
      </Figure>
      <Figure
        name="Last 10 minutes"
        note={ended ? `${number(ended.failed)} failed, ${number(ended.skipped)} skipped` : ''}
        tone={ended?.failed ? 'bad-note' : ''}
      >
        {ended ? number(ended.succeeded + ended.failed + ended.interrupted) : '–'}
      </Figure>
      <Figure name="Late by" note="95 % of runs, at most">
        <Ms value={lateness && quantile(lateness, 0.95)} />
      </Figure>
      <Figure name="Workers" link={href(['workers'])} tone={alive?.length === 0 ? 'warn' : ''}>
        {alive ? alive.length : '–'}
      </Figure>
    </dl>
  );
}

interface FigureProps {
  name: string;
  note?: string;
  link?: string;
  tone?: string;
  children: preact.ComponentChildren;
}

function Figure({ name, note, link, tone = '', children }: FigureProps) {
  return (
    <div class={tone}>
      <dt>{link ? <a href={link}>{name}</a> : name}</dt>
      <dd>
        {children}
        {note && <small>{note}</small>}
      </dd>
    </div>
  );
}

function Running({ page }: { page: TaskPage }) {
  if (page.tasks.length === 0) {
    return (
      <Empty>
        {page.next === null
          ? 'Nothing is running.'
          : 'Nothing is running among the tasks looked at.'}
      </Empty>
    );
  }
  return (
    <Scroll label="Tasks that run now">
      <table>
        <thead>
          <tr>
            <th scope="col">Task</th>
            <th scope="col">Progress</th>
            <th scope="col">Worker</th>
            <th scope="col" title="When another worker may take over if this one says nothing">
              Lease ends
            </th>
          </tr>
        </thead>
        <tbody>
          {page.tasks.map(({ id, report, lease, attempt }) => (
            <tr key={id}>
              <th scope="row">
                <TaskLink id={id} />
                {attempt > 1 && <span class="faint"> attempt {attempt}</span>}
              </th>
              <td>
                <Progress value={report?.progress} label={`Progress of ${id}`} />
              </td>
              <td>{lease && <Owner name={lease.owner} />}</td>
              <td class="nowrap">{lease && <When at={lease.expiresAt} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Next({ upcoming: { runs, isComplete, readAt } }: { upcoming: Ahead }) {
  // What has become due since then has begun, as far as anybody knows.
  const shown = runs.filter(({ at }) => {
    const time = Date.parse(at);
    return time > now.value || time < readAt - soonMs;
  });
  if (shown.length === 0) return <Empty>Nothing is scheduled.</Empty>;
  return (
    <>
      {!isComplete && (
        <p class="note-line">
          There are too many tasks to look at all of them: others may come before these.
        </p>
      )}
      <Scroll label="What runs next">
        <table>
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">At</th>
              <th scope="col">Task</th>
              <th scope="col">Queue</th>
            </tr>
          </thead>
          <tbody>
            {shown.slice(0, shownRuns).map(({ id, queue, at }) => (
              <tr key={`${id} ${at}`} class={Date.parse(at) < now.value ? 'due' : ''}>
                <td class="nowrap">
                  <When at={at} />
                </td>
                <td class="nowrap">
                  <At at={at} />
                </td>
                <th scope="row">
                  <TaskLink id={id} />
                </th>
                <td>{queue}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  );
}

const hourMs = 3_600_000;
/** How much of the past to show at least. */
const leastMs = 600_000;
/** How many hours of what comes to show, at most. */
const aheadHours = 12;
/** How many runs to ask for. */
const askedRuns = 500;
const bars = 48;
/** How much time a bar may be for. */
const steps = [1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600].map((seconds) => seconds * 1000);

interface TimelineProps {
  recent: Query<RecentRuns>;
  upcoming: Query<Ahead>;
}

/** The last hours with how late runs began, and how many runs the next hours bring. */
function Timeline({ recent, upcoming }: TimelineProps) {
  return (
    <div class="columns level">
      <Panel title="The last hours" testId="past" aside="how late each run began">
        <Loaded of={recent}>{({ runs }) => <Past runs={runs} />}</Loaded>
      </Panel>
      <Panel title="The next hours" testId="future" aside="how many runs begin">
        <Loaded of={upcoming}>{(next) => <Future upcoming={next} />}</Loaded>
      </Panel>
    </div>
  );
}

const pastOutcomes: readonly [RunView['outcome'], string, Colour][] = [
  ['succeeded', 'Succeeded', 'good'],
  ['failed', 'Failed', 'bad'],
  ['interrupted', 'Interrupted', 'warn'],
];

function Past({ runs }: { runs: readonly RecentRun[] }) {
  const end = slowNow.value;
  const points = runs
    .flatMap(({ run }) => {
      const late = latenessMs(run);
      const at = Date.parse(run.startedAt ?? run.endedAt);
      return late === undefined || at < end - aheadHours * hourMs ? [] : [{ run, at, late }];
    })
    .sort((a, b) => a.at - b.at);
  const [first] = points;
  if (!first) return <Empty>Nothing has run in the last {aheadHours} hours.</Empty>;
  const worst = Math.max(...points.map(({ late }) => late));
  return (
    <Plot
      kind="points"
      isLog
      label={`${plural(points.length, 'run')} in the last hours; the latest began ${duration(worst)} after its time`}
      times={points.map(({ at }) => at)}
      series={pastOutcomes.map(([outcome, label, colour]) => ({
        ...{ label, colour },
        // A logarithm knows no zero.
        values: points.map(({ run, late }) => (run.outcome === outcome ? Math.max(1, late) : null)),
      }))}
      format={duration}
      range={[Math.min(first.at, end - leastMs), end]}
    />
  );
}

function Future({ upcoming: { runs, isComplete } }: { upcoming: Upcoming }) {
  const last = runs.at(-1);
  if (!last) return <Empty>Nothing is scheduled.</Empty>;
  const mostMs = aheadHours * hourMs;
  const aheadMs = Date.parse(last.at) - slowNow.value;
  // Beyond the last run that was told of there may be others.
  const shownMs = runs.length < askedRuns ? mostMs : Math.min(mostMs, Math.max(60_000, aheadMs));
  const stepMs = steps.find((step) => step * bars >= shownMs) ?? hourMs;
  const start = Math.floor(slowNow.value / stepMs) * stepMs;
  const end = start + Math.ceil(shownMs / stepMs) * stepMs;
  const counts = Array.from({ length: Math.ceil((end - start) / stepMs) }, () => 0);
  for (const { at } of runs) {
    const index = Math.max(0, Math.floor((Date.parse(at) - start) / stepMs));
    if (index < counts.length) counts[index] = (counts[index] ?? 0) + 1;
  }
  const sum = counts.reduce((total, count) => total + count, 0);
  return (
    <Plot
      kind="bars"
      label={`${plural(sum, 'run')} in the next ${duration(end - start)}${isComplete ? '' : ', of the tasks looked at'}`}
      times={counts.map((_, index) => start + index * stepMs)}
      series={[{ label: `Runs in ${duration(stepMs)}`, colour: 'accent', values: counts }]}
      stepMs={stepMs}
      range={[start, end]}
    />
  );
}

export function Throughput() {
  const known = allRemembered(storeAlias.value);
  const first = Math.min(...known.map(({ minute }) => Date.parse(minute)), slowNow.value);
  const age = Math.ceil((slowNow.value - first) / 60_000) + 1;
  const count = Math.min(mostMinutes, Math.max(fewestMinutes, age));
  const minutes = perMinute(known, slowNow.value, count);
  const sum = totals(minutes);
  const words = counted.map((name) => `${number(sum[name])} ${name}`).join(', ');
  const [start, end] = [minutes[0], minutes.at(-1)];
  return (
    <Plot
      kind="bars"
      label={`In the last ${count} minutes: ${words}`}
      times={minutes.map(({ at }) => at)}
      series={counted.map((name) => ({
        label: name,
        colour: countColours[name],
        values: minutes.map((minute) => minute[name]),
      }))}
      range={start && end && [start.at, end.at + 60_000]}
    />
  );
}

function FailurePanel() {
  const failures = useQuery('failures', (signal) => get<Failures>('failures', {}, signal), 15_000);
  return (
    <Panel title="Failed for good" aside={<a href={href(['failures'])}>All failures</a>}>
      <Loaded of={failures}>
        {({ failures: groups }) =>
          groups.length === 0 ? (
            <Empty>No task has failed for good.</Empty>
          ) : (
            <Scroll label="Failures">
              <table>
                <thead>
                  <tr>
                    <th scope="col">Error</th>
                    <th scope="col">Name</th>
                    <th scope="col" class="number">
                      Tasks
                    </th>
                    <th scope="col">Newest</th>
                  </tr>
                </thead>
                <tbody>
                  {groups.slice(0, 6).map(({ key, name, error, count, newest }) => (
                    <tr key={key}>
                      <th scope="row" class="words" title={`${error.name}: ${error.message}`}>
                        {error.message}
                      </th>
                      <td>{name}</td>
                      <td class="number">{number(count)}</td>
                      <td class="nowrap">{newest && <When at={newest} />}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </Scroll>
          )
        }
      </Loaded>
    </Panel>
  );
}

function WorkerTable({ workers }: { workers: readonly Worker[] }) {
  if (workers.length === 0) return <Empty>No worker is there: nothing will run.</Empty>;
  return (
    <Scroll label="Workers">
      <table>
        <thead>
          <tr>
            <th scope="col">Worker</th>
            <th scope="col">Host</th>
            <th scope="col" class="number">
              Running
            </th>
            <th scope="col">Seen</th>
          </tr>
        </thead>
        <tbody>
          {workers.map((worker) => (
            <tr key={worker.owner}>
              <th scope="row">
                <Owner name={worker.owner} />
              </th>
              <td>
                {worker.host ?? '–'}
                {worker.pid !== null && <span class="faint"> {worker.pid}</span>}
              </td>
              <td class="number">
                {worker.running} / {worker.concurrency}
              </td>
              <td class="nowrap">
                {isGone(worker, now.value) ? (
                  <span class="badge failed">Gone</span>
                ) : (
                  <span class="badge succeeded">There</span>
                )}{' '}
                <When at={worker.seenAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Stores() {
  const health = useQuery('health', readHealth, 10_000);
  return (
    <Panel title="Stores" testId="stores" aside="as this process sees them">
      <Loaded of={health}>
        {({ stores }) => (
          <Scroll label="Stores">
            <table>
              <thead>
                <tr>
                  <th scope="col">Store</th>
                  <th scope="col">Kind</th>
                  <th scope="col">Health</th>
                  <th scope="col" class="number">
                    Answers in
                  </th>
                  <th scope="col" class="number" title="By how much this process's clock is off">
                    Clock off by
                  </th>
                </tr>
              </thead>
              <tbody>
                {stores.map(({ alias, name, isUp, latencyMs, clockOffsetMs, error }) => (
                  <tr key={alias}>
                    <th scope="row">{alias}</th>
                    <td>{name}</td>
                    <td>
                      <span class={`badge ${isUp ? 'succeeded' : 'failed'}`}>
                        {isUp ? 'Up' : 'Down'}
                      </span>
                      {error && <span class="words"> {error.message}</span>}
                    </td>
                    <td class="number">{duration(latencyMs)}</td>
                    <td class="number">{clockOffsetMs === null ? '–' : duration(clockOffsetMs)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </Loaded>
    </Panel>
  );
}

function Recent({ runs }: { runs: readonly RecentRun[] }) {
  if (runs.length === 0) return <Empty>Nothing has run yet.</Empty>;
  return (
    <Scroll label="Latest runs">
      <table>
        <thead>
          <tr>
            <th scope="col">Ended</th>
            <th scope="col">Task</th>
            <th scope="col">Outcome</th>
            <th scope="col" class="number">
              Late by
            </th>
          </tr>
        </thead>
        <tbody>
          {runs.slice(0, shownRuns).map(({ id, run }) => (
            <tr key={`${id} ${run.endedAt} ${run.nominal} ${run.outcome}`}>
              <td class="nowrap">
                <At at={run.endedAt} />
              </td>
              <th scope="row">
                <TaskLink id={id} />
              </th>
              <td>
                <OutcomeBadge outcome={run.outcome} />
              </td>
              <td class="number">
                <Ms value={latenessMs(run)} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

/** What an event says beside its name. */
function eventWords({ name, data }: Activity): string {
  const error = data.error as { readonly message?: string } | undefined;
  const number = (member: string) => data[member] as number;
  switch (name) {
    case 'started':
      return `started ${duration(number('latenessMs'))} after its time`;
    case 'succeeded':
      return `succeeded after ${duration(number('durationMs'))}`;
    case 'failed':
    case 'retried':
    case 'interrupted':
      return `${name} after ${duration(number('durationMs'))}: ${error?.message ?? ''}`;
    case 'skipped':
      return `skipped ${plural(number('count'), 'occurrence')}: ${data.reason}`;
    case 'changed':
      return `changed here: ${data.action}`;
    case 'deferred':
      return `put off: ${data.reason}`;
    case 'storeError':
      return `the store ${data.store} failed: ${error?.message ?? ''}`;
    default:
      return name;
  }
}

function Feed() {
  const list = activities.value;
  if (list.length === 0) return <Empty>Nothing has happened since this page was opened.</Empty>;
  return (
    <Scroll label="Activity">
      <ol class="feed">
        {list.slice(0, 20).map((activity) => (
          <li key={activity.key} class={activity.name}>
            <At at={activity.at} />{' '}
            {typeof activity.data.id === 'string' && <TaskLink id={activity.data.id} />}{' '}
            <span>{eventWords(activity)}</span>
          </li>
        ))}
      </ol>
    </Scroll>
  );
}
