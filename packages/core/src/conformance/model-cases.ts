import { inspect } from 'node:util';
import type { Bench, CaseDefinition } from './harness.js';
import { Model } from './model.js';
import type { Operation } from './operations.js';
import { Comparison, randomOperation } from './operations.js';
import { Random } from './random.js';

const operationsPerSeed = 300;
/** How often to try a failing sequence with fewer operations. Each attempt takes a fresh place. */
const attemptsToShrink = 100;

/** Random sequences of calls. The store and the model must answer each call alike. */
export const modelCases: readonly CaseDefinition[] = [1, 2, 3, 4].map((seed) => ({
  name: `a random sequence of calls is answered as the contract says (seed ${seed})`,
  guarantee: 'G1',
  async run(bench) {
    const random = new Random(seed);
    const operations = Array.from({ length: operationsPerSeed }, () => randomOperation(random));
    const failure = await run(bench, operations);
    if (failure) throw await explain(bench, seed, operations, failure);
  },
}));

interface Failure {
  /** How many operations it took to fail. */
  readonly after: number;
  readonly error: unknown;
}

async function run(bench: Bench, operations: readonly Operation[]): Promise<Failure | undefined> {
  const comparison = new Comparison(await bench.open(), new Model(), bench.clock);
  let after = 0;
  try {
    for (const operation of operations) {
      after++;
      await comparison.run(operation);
    }
    await comparison.compareHistories();
  } catch (error) {
    return { after, error };
  }
  return undefined;
}

/** Leaves out everything that a failing sequence does not need, and reports the rest. */
async function explain(
  bench: Bench,
  seed: number,
  operations: readonly Operation[],
  failure: Failure,
): Promise<unknown> {
  let [failing, { error }] = [operations.slice(0, failure.after), failure];
  let attempts = 0;
  for (let size = Math.ceil(failing.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < failing.length && attempts < attemptsToShrink; attempts++) {
      const fewer = failing.filter((_, index) => index < at || index >= at + size);
      const shorter = await run(await bench.elsewhere(), fewer);
      if (shorter) {
        failing = fewer.slice(0, shorter.after);
        error = shorter.error;
      } else {
        at += size;
      }
    }
  }
  if (!(error instanceof Error)) return error;
  const steps = failing.map((operation, index) => `  ${index + 1}. ${describe(operation)}`);
  error.message = `${error.message}\nThis happened in the last of (seed ${seed}):\n${steps.join('\n')}`;
  return error;
}

function describe({ call, ...rest }: Operation): string {
  return `${call} ${inspect(rest, { depth: 6, breakLength: Number.POSITIVE_INFINITY })}`;
}
