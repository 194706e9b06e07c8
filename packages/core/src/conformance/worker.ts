import { holds, same } from './check.js';
import type { Violation } from './check-history.js';
import { checkHistory } from './check-history.js';
import type { Bench, CaseDefinition } from './harness.js';
import { Random } from './random.js';
import type { Guarantee } from './types.js';
import { Cluster } from './worker-cluster.js';
import type { Work } from './worker-tasks.js';
import { plannedTasks } from './worker-tasks.js';

/** How many times something happens to the workers. */
const disturbances = 12;
/** How long what is left may take in peace, in steps of so many milliseconds. */
const stepMs = 5000;
const steps = 200;

const promises: readonly (readonly [Guarantee, string])[] = [
  ['G1', 'bring every occurrence to an end that the history tells'],
  ['G2', 'own each task one after another, and complete nothing twice'],
  ['G3', 'deliver as often as the policy says, and as planned'],
  ['G4', 'run nothing before its time'],
  ['G5', 'skip only what may be skipped, and say why'],
  ['G6', 'lose no edit'],
];

/** The real worker, several times, over a store whose calls fail, hang and lose their answers, and which some do not survive. */
export const workerCases: readonly CaseDefinition[] = promises.map(
  ([guarantee, promise], index) => ({
    name: `workers that vanish, are cut off and lose answers ${promise} (seed ${index + 1})`,
    guarantee,
    async run(bench) {
      const violations = await simulate(bench, index + 1);
      const own = violations.filter((violation) => violation.guarantee === guarantee);
      same(
        own.map(({ id, sentence }) => `${id} ${sentence}`),
        [],
        `workers ${promise}`,
      );
    },
  }),
);

async function simulate(bench: Bench, seed: number): Promise<Violation[]> {
  const random = new Random(seed);
  const cluster = await Cluster.create(bench, random, seed % 2 === 1);
  bench.later(() => cluster.abandon());
  // Only the history tells what became of an occurrence.
  if (!cluster.capabilities.history) return [];
  const { client, clock } = cluster;
  const planned = plannedTasks(clock.now());
  await client.scheduleMany(planned.map(({ declaration }) => declaration));
  const declared = planned.map((task) => task.declared);
  for (let i = 0; i < 3; i++) await cluster.join();
  const versions = new Map<string, number>();
  for (let i = 1; i <= disturbances; i++) {
    await clock.advance(1 + random.below(8000));
    const { id } = random.pick(declared.filter(({ maySkip }) => maySkip));
    await edit(cluster, id, i, versions);
    const what = random.below(4);
    if (what === 0) await cluster.replaceOne();
    else if (what === 1) cluster.cutOne(1 + random.below(8000));
    else if (what === 2) await client.pause(id);
    else await client.resume({ all: true });
  }
  cluster.calm();
  await client.resume({ all: true });
  await cluster.join();
  let left = declared.length;
  for (let i = 0; left > 0 && i < steps && !cluster.isExhausted; i++) {
    await clock.advance(stepMs);
    const ended = await Promise.all([
      client.count({ state: 'finished' }),
      client.count({ state: 'failed' }),
    ]);
    left = declared.length - ended[0] - ended[1];
  }
  holds(!cluster.isExhausted, 'workers get on with what a store answers, and do not ask for ever');
  const history = await cluster.end(declared);
  return [...checkHistory(history, declared), ...(await lostEdits(cluster, versions))];
}

/** Changes what a user may change of a task, and remembers that this was acknowledged. */
async function edit(
  { client }: Cluster,
  id: string,
  version: number,
  versions: Map<string, number>,
): Promise<void> {
  const task = await client.get(id);
  // The history tells what was lost.
  if (!task) return;
  const payload = task.payload as Work;
  await client.update(id, { payload: { ...payload, version } });
  versions.set(id, version);
}

async function lostEdits(
  { client }: Cluster,
  versions: ReadonlyMap<string, number>,
): Promise<Violation[]> {
  const violations: Violation[] = [];
  for (const [id, version] of versions) {
    const task = await client.get(id);
    const there = (task?.payload as Work | undefined)?.version;
    if (there === version) continue;
    const sentence = `has the payload of edit ${there}, and edit ${version} was acknowledged`;
    violations.push({ guarantee: 'G6', id, sentence });
  }
  return violations;
}
