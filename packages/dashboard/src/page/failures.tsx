/** @jsxImportSource preact */

import { useRef, useState } from 'preact/hooks';
import { actionWords, ask, may } from './bulk.js';
import { number } from './format.js';
import { Empty, Loaded, Scroll, TaskLink, Title, When } from './parts.js';
import { useQuery } from './query.js';
import { readFailures } from './read-failures.js';
import { href, storeAlias } from './router.js';
import type { Failure, Failures } from './types.js';

/** How many stretches of the tasks to look at, where one was not enough: each is some hundred thousand. */
const furtherStretches = 5;

export function FailuresPage() {
  return (
    <>
      <Title>Failures</Title>
      <p class="intro">
        Tasks that have failed for good: their attempts are used up and no occurrence is left. A
        recurring task whose last run failed goes on, and shows it in its history.
      </p>
      <Kinds key={storeAlias.value} />
    </>
  );
}

function Kinds() {
  const [stretches, setStretches] = useState(1);
  const query = useQuery(
    `failures ${stretches}`,
    (signal) => readFailures(stretches, signal),
    5000,
  );
  // Until more tasks have been looked at, what was there is shown.
  const before = useRef<Failures | undefined>(undefined);
  const data = query.data ?? before.current;
  before.current = data;
  const isReading = query.data === undefined && !query.problem;
  return (
    <Loaded of={{ data, problem: query.problem }}>
      {({ failures: groups, isComplete }) => (
        <>
          {!isComplete && groups.length > 0 && (
            <p class="note-line">
              Not all tasks have been looked at: there may be other failures, and more of these.
            </p>
          )}
          {groups.length === 0 && (
            <Empty>
              {isComplete
                ? 'No task has failed for good.'
                : 'None has failed for good among the tasks looked at so far.'}
            </Empty>
          )}
          {groups.map((group) => (
            <Group key={group.key} failure={group} onDone={query.reload} />
          ))}
          {!isComplete && (
            <button
              type="button"
              onClick={() => setStretches(stretches + furtherStretches)}
              disabled={isReading}
              data-testid="more"
            >
              {isReading ? 'Looking…' : 'Look on'}
            </button>
          )}
        </>
      )}
    </Loaded>
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
