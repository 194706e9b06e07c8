/** @jsxImportSource preact */

import { number, plural } from '../format.js';
import {
  allRemembered,
  isGone,
  perMinute,
  quantile,
  sumHistograms,
  totals,
} from '../histograms.js';
import { Count, Ms, now } from '../parts.js';
import { href, storeAlias } from '../router.js';
import type { Summary, TaskState, Worker } from '../types.js';
import type { Ahead } from './ahead.js';

/** After what time a task that is due is late, and not just about to begin. */
const lateMs = 5000;

interface FiguresProps {
  summary: Summary | undefined;
  workers: readonly Worker[] | undefined;
  upcoming: Ahead | undefined;
}

/** What is to be seen at a glance. */
export function Figures({ summary, workers, upcoming }: FiguresProps) {
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
