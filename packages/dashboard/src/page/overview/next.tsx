/** @jsxImportSource preact */

import { At, Empty, Head, now, Scroll, TaskLink, When } from '../parts.js';
import type { Ahead } from './ahead.js';
import { shownRuns } from './shown-runs.js';

/** After what time a task that is due has not begun, and is not just about to. */
const soonMs = 2000;

export function Next({ upcoming: { runs, isComplete, readAt } }: { upcoming: Ahead }) {
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
          <Head columns={['When', 'At', 'Task', 'Queue']} />
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
