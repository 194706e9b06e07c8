/** @jsxImportSource preact */

import { isGone } from '../histograms.js';
import { Empty, Head, now, Owner, Scroll, When } from '../parts.js';
import type { Worker } from '../types.js';

export function WorkerTable({ workers }: { workers: readonly Worker[] }) {
  if (workers.length === 0) return <Empty>No worker is there: nothing will run.</Empty>;
  return (
    <Scroll label="Workers">
      <table>
        <Head columns={['Worker', 'Host', { name: 'Running', class: 'number' }, 'Seen']} />
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
