import type { DataStoreOptions } from '@sched/core';
import { service } from '@sched-tooling/services';
import type { BareLoop, Database, Place } from '../database.ts';
import type { Figures, Scenario } from '../scenario.ts';
import { add, addFarFuture, drain, lateness } from '../work.ts';

/** What is measured on every database. */
export function scenariosOf(database: Database): readonly Scenario[] {
  const { name, count, farFuture } = database;
  const far = farFuture.toLocaleString('en-US');
  // No more than any of them runs within the ten seconds over which they are spread.
  const few = Math.min(1000, count / 10);
  return [
    {
      name: `${name}-drain`,
      title: `Adding ${count.toLocaleString('en-US')} tasks in bulk and running them; beside the driver’s own best loop`,
      baseline: 'bare loop',
      variants: {
        sched: (scale) => onStore(database, (place) => addAndDrain(place, count * scale)),
        'sched, no history': (scale) =>
          onStore(database, (place) => addAndDrain(place, count * scale, 0, { historyLimit: 0 })),
        'bare loop': (scale) =>
          onStore(database, async (place) =>
            bareAddAndDrain(await place.openBareLoop(), count * scale),
          ),
      },
    },
    {
      name: `${name}-backlog`,
      title: `The same, alone and beside ${far} far-future tasks`,
      baseline: 'alone',
      variants: {
        alone: (scale) => onStore(database, (place) => addAndDrain(place, count * scale)),
        'beside far-future': (scale) =>
          onStore(database, (place) => addAndDrain(place, count * scale, farFuture * scale)),
      },
    },
    {
      name: `${name}-lateness`,
      title: `How late ${few.toLocaleString('en-US')} tasks at random moments run on an idle store`,
      variants: {
        [name]: (scale) =>
          onStore(database, (place) =>
            withOpen(place, {}, (store) => lateness(store, few * scale, 10_000 * scale)),
          ),
      },
    },
  ];
}

async function onStore<T>(database: Database, use: (place: Place) => Promise<T>): Promise<T> {
  const url = database.service ? (await service(database.service)).url : '';
  const place = await database.createPlace(url);
  try {
    return await use(place);
  } finally {
    await place.dispose();
  }
}

async function withOpen<T>(
  place: Place,
  options: DataStoreOptions,
  use: (store: ReturnType<Place['connect']>) => Promise<T>,
): Promise<T> {
  const store = place.connect(options);
  await store.open();
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

function addAndDrain(
  place: Place,
  count: number,
  farFuture = 0,
  options: DataStoreOptions = {},
): Promise<Figures> {
  return withOpen(place, options, async (store) => {
    await addFarFuture(store, farFuture);
    const added = await add(store, count);
    return { 'add (tasks/s)': added, 'drain (tasks/s)': await drain(store, count) };
  });
}

async function bareAddAndDrain(loop: BareLoop, count: number): Promise<Figures> {
  const start = performance.now();
  for (let from = 0; from < count; from += 1000) {
    const length = Math.min(1000, count - from);
    const due = Date.now();
    await loop.insert(
      Array.from({ length }, (_, i) => {
        const index = from + i;
        return { id: `bench-${index}`, due, body: JSON.stringify({ index }) };
      }),
    );
  }
  const added = performance.now();
  for (let done = 0; done < count; ) {
    const now = Date.now();
    const ids = await loop.claim(200, now, now + 15_000);
    await loop.complete(ids);
    done += ids.length;
  }
  const drained = performance.now();
  return {
    'add (tasks/s)': (count / (added - start)) * 1000,
    'drain (tasks/s)': (count / (drained - added)) * 1000,
  };
}
