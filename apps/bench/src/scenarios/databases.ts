import { service } from '@sched-tooling/services';
import type { Amounts, Database } from '../database.ts';
import type { Figures, Scenario } from '../scenario.ts';
import { type Entry, Stage } from '../stage.ts';
import type { Workload } from '../workload.ts';

/** A workload on a database, with everyone who takes part. */
export function scenarioOf(
  database: Database,
  workload: Workload,
  scale: number,
  entries: () => Promise<readonly Entry[]>,
): Scenario {
  return {
    name: `${database.name}-${workload.name}`,
    title: workload.title(amountsOf(database, scale)),
    note: `Durability: ${database.durability}`,
    baseline: workload.baseline,
    async variants() {
      const taking = (await entries()).filter((entry) => takesPart(entry, database, workload));
      return taking.map((entry) => ({
        name: entry.contender.name,
        note: noteOn(entry, workload),
        run: (scale: number) => run(database, workload, entry, scale),
      }));
    },
  };
}

function takesPart({ contender }: Entry, database: Database, workload: Workload): boolean {
  return (
    (contender.databases ?? [database.name]).includes(database.name) &&
    (contender.workloads ?? [workload.name]).includes(workload.name)
  );
}

function noteOn({ contender, version }: Entry, { asksHowFast }: Workload): string {
  const { history, settings, share = 1 } = contender;
  const parts = [
    ...(version === undefined ? [] : [version]),
    { kept: 'history on', failures: 'history of failures', none: 'history off' }[history],
    settings,
    ...(share === 1 || !asksHowFast ? [] : [`${share * 100} % of the tasks`]),
  ];
  return parts.join('; ');
}

function amountsOf({ count, farFuture }: Amounts, scale: number): Amounts {
  return { count: Math.ceil(count * scale), farFuture: Math.ceil(farFuture * scale) };
}

async function run(
  database: Database,
  workload: Workload,
  entry: Entry,
  scale: number,
): Promise<Figures> {
  const url = database.service ? (await service(database.service)).url : '';
  const stage = await Stage.open(database, url, entry);
  const { share = 1 } = entry.contender;
  const amounts = amountsOf(database, workload.asksHowFast ? scale * share : scale);
  try {
    return await workload.measure(stage, amounts, scale);
  } finally {
    await stage.close();
  }
}
