/** @jsxImportSource preact */

import { get } from '../api.js';
import { Loaded, Panel, Title } from '../parts.js';
import { useQuery } from '../query.js';
import { readTasks } from '../read-tasks.js';
import { useRecentRuns } from '../recent-runs.js';
import { href } from '../router.js';
import { Throughput, throughputNote } from '../throughput.js';
import type { Summary } from '../types.js';
import { useWorkers } from '../use-workers.js';
import { useAhead } from './ahead.js';
import { FailurePanel } from './failure-panel.js';
import { Feed } from './feed.js';
import { Figures } from './figures.js';
import { Future } from './future.js';
import { Next } from './next.js';
import { Past } from './past.js';
import { Recent } from './recent.js';
import { Running } from './running.js';
import { shownRuns } from './shown-runs.js';
import { Stores } from './stores.js';
import { WorkerTable } from './worker-table.js';

export function Overview() {
  const summary = useQuery('summary', (signal) => get<Summary>('summary', {}, signal), 10_000);
  const running = useQuery('running', (signal) =>
    readTasks({ state: 'running' }, shownRuns, signal),
  );
  const upcoming = useAhead();
  const workers = useWorkers();
  const recent = useRecentRuns();
  return (
    <>
      <Title>Overview</Title>
      <Figures summary={summary.data} workers={workers.data} upcoming={upcoming.data} />
      <div class="columns level">
        <Panel title="The last hours" testId="past" aside="how late each run began">
          <Loaded of={recent}>{({ runs }) => <Past runs={runs} />}</Loaded>
        </Panel>
        <Panel title="The next hours" testId="future" aside="how many runs begin">
          <Loaded of={upcoming}>{(next) => <Future upcoming={next} />}</Loaded>
        </Panel>
      </div>
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
