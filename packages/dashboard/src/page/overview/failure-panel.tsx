/** @jsxImportSource preact */

import { get } from '../api.js';
import { number } from '../format.js';
import { Empty, Head, Loaded, Panel, Scroll, When } from '../parts.js';
import { useQuery } from '../query.js';
import { href } from '../router.js';
import type { Failures } from '../types.js';

const shownKinds = 6;

export function FailurePanel() {
  const failures = useQuery('failures', (signal) => get<Failures>('failures', {}, signal), 15_000);
  return (
    <Panel title="Failed for good" aside={<a href={href(['failures'])}>All failures</a>}>
      <Loaded of={failures}>{(read) => <Kinds {...read} />}</Loaded>
    </Panel>
  );
}

function Kinds({ failures, isComplete }: Failures) {
  if (failures.length === 0) {
    return (
      <Empty>
        {isComplete
          ? 'No task has failed for good.'
          : 'None has failed for good among the tasks looked at.'}
      </Empty>
    );
  }
  return (
    <>
      {!isComplete && (
        <p class="note-line">
          There are too many tasks to look at all of them: there may be more failures.
        </p>
      )}
      <Scroll label="Failures">
        <table>
          <Head columns={['Error', 'Name', { name: 'Tasks', class: 'number' }, 'Newest']} />
          <tbody>
            {failures.slice(0, shownKinds).map(({ key, name, error, count, newest }) => (
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
    </>
  );
}
