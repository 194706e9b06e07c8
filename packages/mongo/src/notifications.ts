import type { WakeUp } from '@sched/core';
import type { Subscribe } from '@sched/core/adapter';
import type { MongoCollectionLike, MongoDocument } from './client.js';

/** Whatever makes a task wake at another time; a lease that is taken or extended does so without anybody waking. */
const pipeline = [
  {
    $match: {
      $or: [
        { operationType: { $in: ['insert', 'replace'] }, 'fullDocument.wakeAt': { $exists: true } },
        { operationType: 'update', 'updateDescription.updatedFields.queue': { $exists: true } },
        {
          operationType: 'update',
          'updateDescription.updatedFields.wakeAt': { $exists: true },
          'updateDescription.updatedFields.expiresAt': { $not: { $type: 'number' } },
        },
      ],
    },
  },
];

/** Follows the changes of the tasks. */
export function listenOn(tasks: MongoCollectionLike): Subscribe {
  return async ({ hear, lost }) => {
    const stream = tasks.watch(pipeline, {
      fullDocument: 'updateLookup',
      readConcern: { level: 'majority' },
    });
    const close = () => stream.close().catch(() => {});
    let isHeard = false;
    await new Promise<void>((resolve, reject) => {
      // Comes with the server's first answer already.
      stream.on('resumeTokenChanged', () => {
        isHeard = true;
        resolve();
      });
      stream.on('change', (change) => {
        const wakeUp = toWakeUp(change);
        if (wakeUp) hear(wakeUp);
      });
      const end = (error: MongoDocument = new Error('The change stream was closed')) => {
        reject(error);
        close();
        if (isHeard) lost();
      };
      stream.on('error', end);
      // The reason, if there is one, comes right after.
      stream.on('close', () => setImmediate(end));
    });
    return close;
  };
}

function toWakeUp({ fullDocument, updateDescription }: MongoDocument): WakeUp | undefined {
  const wakeAt = updateDescription?.updatedFields?.wakeAt ?? fullDocument?.wakeAt;
  // Of a task that is gone by now there is no document.
  return fullDocument && wakeAt !== undefined ? { queue: fullDocument.queue, wakeAt } : undefined;
}
