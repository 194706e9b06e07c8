/** @jsxImportSource preact */

import { get } from './api.js';
import { actionWords, ask, may } from './bulk.js';
import { number } from './format.js';
import { Empty, Loaded, Scroll, TaskLink, Title, When } from './parts.js';
import { useQuery } from './query.js';
import { href } from './router.js';
import type { Failure, Failures } from './types.js';

export function FailuresPage() {
  const failures = useQuery('failures', (signal) => get<Failures>('failures', {}, signal), 5000);
  return (
    <>
      <Title>Failures</Title>
      <p class="intro">
        Tasks that have failed for good: their attempts are used up and no occurrence is left. A
        recurring task whose last run failed goes on, and shows it in its history.
      </p>
      <Loaded of={failures}>
        {({ failures: groups, isComplete }) => (
          <>
            {!isComplete && (
              <p class="note-line">There are more failed tasks than were counted here.</p>
            )}
            {groups.length === 0 && <Empty>No task has failed for good.</Empty>}
            {groups.map((group) => (
              <Group key={group.key} failure={group} onDone={failures.reload} />
            ))}
          </>
        )}
      </Loaded>
    </>
  );
}

function Group({ failure, onDone }: { failure: Failure; onDone: () => void }) {
  const { key, name, error, count, newest, ids } = failure;
  const selection = {
    filter: { failure: key, name },
    words: `${name}, ${error.name}: ${error.message}`,
  };
  return (
    <section class="panel failure" aria-label={`${name}: ${error.message}`} data-testid="failure">
      <header>
        <div>
          <h2>
            {error.name}: {error.message}
          </h2>
          <p>
            <strong>{number(count)}</strong> of{' '}
            <a href={href(['tasks'], { name, state: 'failed' })}>{name}</a>
            {error.code && (
              <>
                , <code>{error.code}</code>
              </>
            )}
            {newest && (
              <>
                , the newest <When at={newest} />
              </>
            )}
          </p>
        </div>
        <div class="actions">
          {(['retry', 'remove'] as const).filter(may).map((action) => (
            <button
              key={action}
              type="button"
              class={action === 'remove' ? 'danger' : 'primary'}
              onClick={() => ask(action, selection, onDone)}
            >
              {actionWords[action].all}
            </button>
          ))}
        </div>
      </header>
      <Scroll label={`Tasks that failed with ${error.message}`}>
        <ul class="ids">
          {ids.map((id) => (
            <li key={id}>
              <TaskLink id={id} />
            </li>
          ))}
          {count > ids.length && <li class="faint">and {number(count - ids.length)} more</li>}
        </ul>
      </Scroll>
    </section>
  );
}
