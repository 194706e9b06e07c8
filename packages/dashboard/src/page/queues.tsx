/** @jsxImportSource preact */

import { get } from './api.js';
import { actionWords, ask, may } from './bulk.js';
import { isGone } from './histograms.js';
import { Count, Empty, Head, Loaded, now, Owner, Scroll, Title } from './parts.js';
import { useQuery } from './query.js';
import { href } from './router.js';
import type { Summary, Worker } from './types.js';
import { useWorkers } from './use-workers.js';

export function Queues() {
  const summary = useQuery('summary', (signal) => get<Summary>('summary', {}, signal), 5000);
  const workers = useWorkers();
  return (
    <>
      <Title>Queues</Title>
      <Loaded of={summary}>
        {(data) => <QueueTable summary={data} workers={workers.data ?? []} />}
      </Loaded>
    </>
  );
}

function QueueTable({ summary, workers }: { summary: Summary; workers: readonly Worker[] }) {
  const alive = workers.filter((worker) => !isGone(worker, now.value));
  const counts = new Map(summary.queues.map(({ value, count }) => [value, count]));
  for (const queue of alive.flatMap(({ queues }) => queues)) {
    if (!counts.has(queue)) counts.set(queue, summary.isComplete ? 0 : null);
  }
  const rows = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  if (rows.length === 0) return <Empty>There are no tasks and no workers.</Empty>;
  return (
    <section class="panel flush" aria-label="List of queues">
      {!summary.isComplete && (
        <p class="note-line">
          There are too many tasks to look at all of them: there may be other queues.
        </p>
      )}
      <Scroll label="Queues">
        <table data-testid="queues">
          <Head
            columns={[
              'Queue',
              { name: 'Tasks', class: 'number' },
              { name: 'Workers', class: 'number' },
              { name: 'Slots', class: 'number' },
              'Served by',
              { name: 'Actions', isHidden: true },
            ]}
          />
          <tbody>
            {rows.map(([queue, count]) => {
              const serving = alive.filter(({ queues }) => queues.includes(queue));
              const words = `all tasks in the queue ${queue}`;
              return (
                <tr key={queue}>
                  <th scope="row">
                    <a href={href(['tasks'], { queue })}>{queue}</a>
                  </th>
                  <td class="number">
                    <Count value={count} />
                  </td>
                  <td class="number">{serving.length}</td>
                  <td class="number">
                    {serving.reduce((sum, { concurrency }) => sum + concurrency, 0)}
                  </td>
                  <td class="words">
                    {serving.length === 0 ? (
                      <span class="badge failed">Nobody</span>
                    ) : (
                      serving.map(({ owner }, index) => (
                        <span key={owner}>
                          {index > 0 && ', '}
                          <Owner name={owner} />
                        </span>
                      ))
                    )}
                  </td>
                  <td class="buttons">
                    {(['pause', 'resume'] as const).filter(may).map((action) => (
                      <button
                        key={action}
                        type="button"
                        onClick={() => ask(action, { filter: { queue }, words })}
                      >
                        {actionWords[action].all}
                      </button>
                    ))}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}
