/** @jsxImportSource preact */

import { At, Empty, Head, Ms, OutcomeBadge, Scroll, TaskLink } from '../parts.js';
import type { RecentRun } from '../recent-runs.js';
import { latenessMs } from '../words.js';
import { shownRuns } from './shown-runs.js';

export function Recent({ runs }: { runs: readonly RecentRun[] }) {
  if (runs.length === 0) return <Empty>Nothing has run yet.</Empty>;
  return (
    <Scroll label="Latest runs">
      <table>
        <Head columns={['Ended', 'Task', 'Outcome', { name: 'Late by', class: 'number' }]} />
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
