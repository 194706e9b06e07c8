/** @jsxImportSource preact */

import { duration, number } from './format.js';
import { isGone, perMinute, quantile, totals } from './histograms.js';
import { Empty, Head, Loaded, Ms, now, Panel, Scroll, Title, When } from './parts.js';
import { href } from './router.js';
import { Throughput, throughputNote } from './throughput.js';
import type { Histogram, Worker } from './types.js';
import { useWorkers } from './use-workers.js';

export function WorkersPage() {
  const workers = useWorkers();
  return (
    <>
      <Title>Workers</Title>
      <Loaded of={workers}>
        {(list) => (
          <>
            {list.length === 0 && <Empty>No worker is there: nothing will run.</Empty>}
            {list.length > 0 && (
              <Panel title="Runs a minute" aside={throughputNote}>
                <Throughput />
              </Panel>
            )}
            {list.map((worker) => (
              <WorkerPanel key={worker.owner} worker={worker} />
            ))}
          </>
        )}
      </Loaded>
    </>
  );
}

function WorkerPanel({ worker }: { worker: Worker }) {
  const { owner, host, pid, startedAt, seenAt, tasks, queues } = worker;
  const { concurrency, running, waiting, settling } = worker;
  const gone = isGone(worker, now.value);
  const sum = totals(perMinute(worker.minutes, now.value, 60));
  return (
    <Panel
      title={owner}
      class={gone ? 'worker gone' : 'worker'}
      testId="worker"
      aside={
        gone ? (
          <>
            <span class="badge failed">Gone</span> last seen <When at={seenAt} />
          </>
        ) : (
          <>
            <span class="badge succeeded">There</span> seen <When at={seenAt} />
          </>
        )
      }
    >
      {gone && (
        <p class="note-line">
          It has said nothing for a while. What it was running is run again by others when its
          leases end.
        </p>
      )}
      <dl class="facts">
        <div>
          <dt>Host</dt>
          <dd>
            {host ?? '–'} {pid !== null && <span class="faint">process {pid}</span>}
          </dd>
        </div>
        <div>
          <dt>Started</dt>
          <dd>
            <When at={startedAt} />
          </dd>
        </div>
        <div>
          <dt>Running</dt>
          <dd>
            <meter
              min={0}
              max={concurrency}
              value={running}
              aria-label={`Slots in use by ${owner}`}
            />{' '}
            {running} of {concurrency}
            {waiting > 0 && `, ${waiting} claimed ahead`}
            {settling > 0 && `, ${settling} being recorded`}
          </dd>
        </div>
        <div>
          <dt>Last minutes</dt>
          <dd>
            {number(sum.succeeded)} succeeded, {number(sum.failed)} failed, {number(sum.retried)}{' '}
            retried, {number(sum.skipped)} skipped
          </dd>
        </div>
        <div>
          <dt>Queues</dt>
          <dd>
            <Links name="queue" values={queues} />
          </dd>
        </div>
        <div>
          <dt>Definitions</dt>
          <dd>
            <Links name="name" values={tasks} />
          </dd>
        </div>
      </dl>
      <div class="columns even">
        <Spread title="Late by" histogram={worker.lateness} />
        <Spread title="Took" histogram={worker.duration} />
      </div>
    </Panel>
  );
}

function Links({ name, values }: { name: 'queue' | 'name'; values: readonly string[] }) {
  if (values.length === 0) return <>–</>;
  return (
    <>
      {values.map((value, index) => (
        <span key={value}>
          {index > 0 && ', '}
          <a href={href(['tasks'], { [name]: value })}>{value}</a>
        </span>
      ))}
    </>
  );
}

/** How a length of time is spread, since the worker was started. */
function Spread({ title, histogram }: { title: string; histogram: Histogram }) {
  const { bounds, counts } = histogram;
  const most = Math.max(1, ...counts);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const shares = [0.5, 0.95, 0.99].map((share) => quantile(histogram, share));
  const rows = counts.flatMap((count, index) => {
    const bound = bounds[index];
    const words = bound === undefined ? `over ${duration(bounds.at(-1) ?? 0)}` : duration(bound);
    return count === 0 ? [] : [{ words, count }];
  });
  return (
    <div class="spread">
      <h3>{title}</h3>
      {total === 0 ? (
        <Empty>Nothing has run yet.</Empty>
      ) : (
        <>
          <p class="faint">
            half at most <Ms value={shares[0]} />, 95 % <Ms value={shares[1]} />, 99 %{' '}
            <Ms value={shares[2]} />
          </p>
          <Scroll label={`${title}: how often`}>
            <table class="bars">
              <Head
                columns={[
                  'At most',
                  { name: 'Runs', class: 'number' },
                  { name: 'Share', isHidden: true },
                ]}
              />
              <tbody>
                {rows.map(({ words, count }) => (
                  <tr key={words}>
                    <th scope="row">{words}</th>
                    <td class="number">{number(count)}</td>
                    <td>
                      <span class="share" style={{ width: `${(100 * count) / most}%` }} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        </>
      )}
    </div>
  );
}
