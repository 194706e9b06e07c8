import type { NewTaskRecord, TaskRecord } from '../data-store.js';
import { type TaskBody, writeBody } from '../record.js';

/** Makes a task that runs one occurrence of another task, once, regardless of that task's schedule. */
export function childOf(
  record: Pick<TaskRecord, 'id' | 'name' | 'queue' | 'group'>,
  body: TaskBody,
  nominal: number,
  now: number,
  id: string,
): NewTaskRecord {
  const { payload, encoded, headers, policies } = body;
  return {
    id,
    name: record.name,
    queue: record.queue,
    group: record.group,
    status: 'scheduled',
    paused: false,
    runAt: now,
    body: writeBody({
      v: body.v,
      trigger: { kind: 'at', at: nominal },
      declaredAt: now,
      edition: 1,
      ...(payload !== undefined && { payload }),
      ...(encoded && { encoded }),
      ...(headers && { headers }),
      policies: {
        ...policies,
        overlap: { mode: 'skip', maxRunning: null },
        catchUp: { mode: 'latest', windowMs: null, limit: null, graceMs: 0 },
        keepFinished: false,
      },
      nominal,
      attempt: 1,
      parent: body.parent ?? record.id,
    }),
  };
}
