import { AssertionError } from 'node:assert';
import { BrokenSentence } from './check.js';
import { Comparison } from './comparison.js';
import type { Bench, CaseDefinition } from './harness.js';
import type { Operation } from './operations.js';
import { randomOperation, simplerThan } from './operations.js';
import { Random } from './random.js';
import { firstLine } from './script.js';

const operationsPerSeed = 300;
/** How often to try a failing sequence with less in it. Each attempt takes a fresh place. */
const attemptsToShrink = 150;

/** Random sequences of calls. The store and the model must answer each call alike. */
export const modelCases: readonly CaseDefinition[] = [1, 2, 3, 4].map((seed) => ({
  name: `a random sequence of calls is answered as the contract says (seed ${seed})`,
  guarantee: 'G1',
  async run(bench) {
    const random = new Random(seed);
    const operations = Array.from({ length: operationsPerSeed }, () => randomOperation(random));
    const failure = await run(bench, operations);
    if (failure) throw explained(seed, await shrunk(bench, failure));
  },
}));

interface Failure {
  /** The operations up to the one that failed. */
  readonly operations: readonly Operation[];
  readonly script: readonly string[];
  readonly error: unknown;
}

async function run(bench: Bench, operations: readonly Operation[]): Promise<Failure | undefined> {
  const comparison = new Comparison(await bench.open(), bench.clock);
  let after = 0;
  try {
    for (const operation of operations) {
      after++;
      await comparison.run(operation);
    }
    await comparison.compareHistories();
  } catch (error) {
    return { operations: operations.slice(0, after), script: comparison.script, error };
  }
  return undefined;
}

/** Leaves out everything that a failing sequence does not need: first operations, then items of those that stay. */
async function shrunk(bench: Bench, failure: Failure): Promise<Failure> {
  let least = failure;
  let attempts = 0;
  const fails = async (operations: readonly Operation[]): Promise<boolean> => {
    attempts++;
    const shorter = await run(await bench.elsewhere(), operations);
    if (shorter) least = shorter;
    return shorter !== undefined;
  };
  for (let size = Math.ceil(least.operations.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < least.operations.length && attempts < attemptsToShrink; ) {
      const fewer = least.operations.filter((_, index) => index < at || index >= at + size);
      if (!(await fails(fewer))) at += size;
    }
  }
  for (let at = 0; at < least.operations.length && attempts < attemptsToShrink; ) {
    const operation = least.operations[at];
    let isSimpler = false;
    for (const simpler of operation ? simplerThan(operation) : []) {
      if (isSimpler || attempts >= attemptsToShrink) break;
      isSimpler = await fails(least.operations.with(at, simpler));
    }
    if (!isSimpler) at++;
  }
  return least;
}

/** Says which calls it takes, as a script. Keeps the guarantee of the sentence that was broken last. */
function explained(seed: number, { script, error }: Failure): unknown {
  if (!(error instanceof Error)) return error;
  const lines = [firstLine, ...script].map((line) => `  ${line}`);
  const message = `${error.message}\nThis is what the last of these calls came to (seed ${seed}):\n${lines.join('\n')}`;
  const { actual, expected } = error instanceof AssertionError ? error : {};
  const whole =
    error instanceof BrokenSentence
      ? new BrokenSentence(error.guarantee, message, actual, expected)
      : new AssertionError({ message, actual, expected });
  whole.cause = error;
  return whole;
}
