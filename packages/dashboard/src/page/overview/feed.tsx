/** @jsxImportSource preact */

import { duration, plural } from '../format.js';
import { type Activity, activities } from '../live.js';
import { At, Empty, Scroll, TaskLink } from '../parts.js';

/** What an event says beside its name. */
function eventWords({ name, data }: Activity): string {
  const error = data.error as { readonly message?: string } | undefined;
  const number = (member: string) => data[member] as number;
  switch (name) {
    case 'started':
      return `started ${duration(number('latenessMs'))} after its time`;
    case 'succeeded':
      return `succeeded after ${duration(number('durationMs'))}`;
    case 'failed':
    case 'retried':
    case 'interrupted':
      return `${name} after ${duration(number('durationMs'))}: ${error?.message ?? ''}`;
    case 'skipped':
      return `skipped ${plural(number('count'), 'occurrence')}: ${data.reason}`;
    case 'changed':
      return `changed here: ${data.action}`;
    case 'deferred':
      return `put off: ${data.reason}`;
    case 'storeError':
      return `the store ${data.store} failed: ${error?.message ?? ''}`;
    default:
      return name;
  }
}

/** What has happened in the process that serves the page, the latest first. */
export function Feed() {
  const list = activities.value;
  if (list.length === 0) return <Empty>Nothing has happened since this page was opened.</Empty>;
  return (
    <Scroll label="Activity">
      <ol class="feed">
        {list.slice(0, 20).map((activity) => (
          <li key={activity.key} class={activity.name}>
            <At at={activity.at} />{' '}
            {typeof activity.data.id === 'string' && <TaskLink id={activity.data.id} />}{' '}
            <span>{eventWords(activity)}</span>
          </li>
        ))}
      </ol>
    </Scroll>
  );
}
