import { setTimeout } from 'node:timers/promises';
import type { BenchTask, Contender } from '../contender.ts';
import { databaseNamed, databases } from '../databases/index.ts';

const leaseMs = 15_000;

export const contenders: readonly Contender[] = [
  {
    name: 'bare loop',
    databases: databases.filter(({ openBareLoop }) => openBareLoop).map(({ name }) => name),
    history: 'none',
    settings: 'batches of 200',
    workloads: ['add', 'drain', 'drain-2', 'drain-4', 'backlog'],
    async connect(place) {
      const loop = await databaseNamed(place.database).openBareLoop?.(place);
      if (!loop) throw new Error(`There is no bare loop on ${place.database}.`);
      const bare = ({ index, at, later }: BenchTask) => ({
        ...{ id: `bench-${index}`, due: later ? at : Date.now() },
        body: JSON.stringify({ index, at }),
      });
      return {
        add: (task) => loop.insert([bare(task)]),
        addMany: (tasks) => loop.insert(tasks.map(bare)),
        async work(ran) {
          let isStopped = false;
          const work = async () => {
            while (!isStopped) {
              const now = Date.now();
              const claimed = await loop.claim(200, now, now + leaseMs);
              for (const body of claimed.values()) {
                const { index, at } = JSON.parse(body);
                await ran(index, at);
              }
              if (claimed.size > 0) await loop.complete([...claimed.keys()]);
              else await setTimeout(5);
            }
          };
          const working = work();
          return () => {
            isStopped = true;
            return working;
          };
        },
        remaining: () => loop.count(),
        close: () => loop.close(),
      };
    },
  },
];
