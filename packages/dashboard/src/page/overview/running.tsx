/** @jsxImportSource preact */

import { Empty, Head, Owner, Progress, Scroll, TaskLink, When } from '../parts.js';
import type { TaskPage } from '../types.js';

export function Running({ page }: { page: TaskPage }) {
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
        <Head
          columns={[
            'Task',
            'Progress',
            'Worker',
            {
              name: 'Lease ends',
              title: 'When another worker may take over if this one says nothing',
            },
          ]}
        />
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
