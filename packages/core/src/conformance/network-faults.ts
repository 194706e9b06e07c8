import { AssertionError } from 'node:assert';
import type { DataStore, WakeUp } from '../data-store.js';
import { isSchedError } from '../errors.js';
import { holds, same, show } from './check.js';
import type { FaultCall } from './fault-calls.js';
import { createScene, faultCalls, snapshot } from './fault-calls.js';
import type { Bench, CaseDefinition } from './harness.js';
import { until } from './harness.js';
import type { Direction } from './proxy.js';
import { FaultProxy } from './proxy.js';
import { idsOf, read, record } from './records.js';

/** A place behind a proxy, and two handles on it, one that goes through the proxy and one that does not. */
interface Line {
  readonly proxy: FaultProxy;
  readonly through: DataStore;
  readonly direct: DataStore;
  /** In seconds, as that of the bench. */
  readonly patience: number;
  /** Opens another handle, not through the proxy. */
  open(): Promise<unknown>;
}

/** The most pieces that a call may consist of. */
const mostPieces = 20;

/** What becomes of a call that failed on its way, or did not. */
type Outcome = { readonly answer: unknown } | 'failed';

/** What networks do to the connections of a store, for places whose server is reached over TCP. */
export const networkCases: readonly CaseDefinition[] = [
  ...faultCalls.flatMap((each) => [cutCase(each, 'request'), cutCase(each, 'answer')]),
  lineCase({
    name: 'a call on a line that goes silent ends once the line is back, and is applied as a whole or not at all',
    guarantee: 'G1',
    async run(line) {
      const { proxy } = line;
      for (const each of faultCalls) {
        await faulty(line, each, async (call) => {
          proxy.silence();
          const outcome = call();
          await until(() => proxy.withheld > 0, `${each.call} asks the server`, line.patience);
          proxy.heal();
          return outcome;
        });
      }
    },
  }),
  lineCase({
    name: 'calls on a line that delays everything are answered as if it did not',
    guarantee: 'G1',
    async run({ proxy, through, direct, patience }) {
      const late = async <T>(what: string, call: () => Promise<T>) => {
        proxy.hold();
        const answered = call();
        answered.catch(() => {});
        await until(() => proxy.withheld > 0, `${what} the server`, patience);
        proxy.heal();
        return answered;
      };
      for (const { call, make, first } of faultCalls) {
        const scene = await createScene(direct);
        const answer = await late(`${call} asks`, () => make(through, scene));
        same(answer, first, `${call} answers, however late`);
      }
      const { id } = await createScene(direct);
      const ids = ['free', 'paused', 'held-0', 'held-1'].map(id);
      const ask = async (each: string) => idsOf(await through.get([each]));
      const answers = await late('calls that are made at once ask', () =>
        Promise.all([through.insert([record(id('new')), record(id('free'))]), ...ids.map(ask)]),
      );
      same(
        answers,
        [['inserted', 'exists'], ...ids.map((each) => [each])],
        'each of several calls that wait together is given its own answer',
      );
    },
  }),
  lineCase({
    name: 'calls on a line on which a few bytes come at a time are answered as if they came at once',
    guarantee: 'G1',
    async run({ proxy, through, direct }) {
      proxy.drip();
      for (const { call, make, first } of faultCalls) {
        const scene = await createScene(direct);
        same(await make(through, scene), first, `${call} answers, however slowly`);
      }
      // Of 12 bytes each, so that pieces end everywhere in them, in the middle of characters too.
      const body = JSON.stringify('é漢字😀'.repeat(20));
      await through.insert([record('wide', { body })]);
      for (const store of [through, direct]) {
        same(
          (await read(store, 'wide')).body,
          body,
          'a body is returned byte for byte, however few bytes come at a time',
        );
      }
    },
  }),
  {
    name: 'a store that could not be opened for want of its server is opened later',
    guarantee: 'G1',
    async run(bench) {
      const { address } = bench.place;
      if (!address) return;
      const proxy = await FaultProxy.before(address);
      bench.later(() => proxy.close());
      await bench.open();
      for (const direction of ['request', 'answer'] as const) {
        for (let pieces = 0; pieces < mostPieces; pieces++) {
          const cuts = proxy.cuts;
          const store = await bench.connectThrough(proxy.address);
          proxy.cutAfter(direction, pieces);
          await attempt(() => store.open());
          proxy.disarm();
          await insist(() => store.open(), 'open that failed', bench.patience);
          same(await store.count({}), 0, 'a store that was opened at last works');
          await store.close();
          if (proxy.cuts === cuts) break;
        }
      }
    },
  },
  lineCase({
    name: 'whoever watches hears again when all connections were cut',
    guarantee: 'G5',
    async run({ proxy, through, direct, patience }) {
      if (!through.capabilities.watch) return;
      const heard: WakeUp[] = [];
      await through.watch((wakeUp) => heard.push(wakeUp));
      proxy.cutAll();
      let inserted = 0;
      const hears = async () => {
        await direct.insert([record(`new-${inserted++}`, { queue: 'later' })]);
        return heard.some(({ queue }) => queue === 'later');
      };
      await until(hears, 'a watcher whose connection was cut hears again', patience);
    },
  }),
];

/** Cuts the line at each piece of a call in turn. */
function cutCase(each: FaultCall, direction: Direction): CaseDefinition {
  const where = direction === 'request' ? 'on its way to the server' : 'before its answer is here';
  return lineCase({
    name: `${each.call} that is cut off ${where} is applied as a whole or not at all, and can be made again`,
    guarantee: each.guarantee,
    async run(line) {
      const { proxy } = line;
      for (let pieces = 0; pieces < mostPieces; pieces++) {
        const cuts = proxy.cuts;
        await faulty(line, each, async (call) => {
          proxy.cutAfter(direction, pieces);
          const outcome = await call();
          proxy.disarm();
          return outcome;
        });
        // The call is over before so many pieces.
        if (proxy.cuts === cuts) {
          holds(pieces > 0, `${each.call} goes to the server by the address that is given`);
          return;
        }
      }
    },
  });
}

/** Makes a call whose line is spoilt, and holds what came of it to what the contract says of calls that fail. */
async function faulty(
  { through, direct, open, patience }: Line,
  { call, make, first, again }: FaultCall,
  spoil: (call: () => Promise<Outcome>) => Promise<Outcome>,
): Promise<void> {
  const done = await createScene(direct);
  await make(direct, done);
  const after = await snapshot(direct, done);
  const scene = await createScene(direct);
  const before = await snapshot(direct, scene);
  const outcome = await spoil(() => attempt(() => make(through, scene)));
  if (outcome !== 'failed') same(outcome.answer, first, `${call} that succeeds answers as ever`);
  let seen = await snapshot(direct, scene);
  if (![before, after].some((state) => isSame(seen, state))) {
    // What a store does in several steps may be left to whoever opens it next.
    await open();
    seen = await snapshot(direct, scene);
  }
  const [isBefore, isAfter] = [before, after].map((state) => isSame(seen, state));
  if (outcome !== 'failed') same(seen, after, `${call} that succeeds is applied`);
  else if (!isBefore && !isAfter) same(seen, after, `${call} is applied as a whole or not at all`);
  const repeat = () => make(through, scene);
  const repeated = await insist(repeat, `${call} that was cut off`, patience);
  if (isAfter && !isBefore) {
    same(repeated, again, `${call} that was applied says so when it is made again`);
  } else if (!isSame(repeated, again)) {
    same(repeated, first, `${call} that was not applied is applied when it is made again`);
  }
  same(await snapshot(direct, scene), after, `${call} is applied once`);
}

/** A call either succeeds or says that the store is unavailable. */
async function attempt(call: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { answer: await call() };
  } catch (error) {
    assertUnavailable(error);
    return 'failed';
  }
}

/** Takes no other failure of a call on a bad line. */
function assertUnavailable(error: unknown): void {
  if (isSchedError(error, 'SCHED_STORE_UNAVAILABLE')) return;
  if (error instanceof AssertionError) throw error;
  const message = `a call that fails on its way says that the store is unavailable: ${show(error)}`;
  throw Object.assign(new AssertionError({ message }), { cause: error });
}

/** Makes a call until it succeeds, for at most so many seconds. */
async function insist<T>(call: () => Promise<T>, what: string, seconds: number): Promise<T> {
  let answer: { readonly value: T } | undefined;
  const succeeds = async () => {
    try {
      answer = { value: await call() };
      return true;
    } catch (error) {
      assertUnavailable(error);
      return false;
    }
  };
  await until(succeeds, `${what} succeeds when nothing is in its way, without reopening`, seconds);
  if (!answer) throw new Error('it has succeeded');
  return answer.value;
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

interface LineCase extends Omit<CaseDefinition, 'run'> {
  readonly run: (line: Line) => Promise<void>;
}

/** Makes a case for places whose handles reach a server through one address. */
function lineCase({ run, ...definition }: LineCase): CaseDefinition {
  return {
    ...definition,
    async run(bench: Bench) {
      const { address } = bench.place;
      if (!address) return;
      const proxy = await FaultProxy.before(address);
      const direct = await bench.open();
      const through = await bench.openThrough(proxy.address);
      bench.later(() => proxy.close());
      await run({ proxy, through, direct, open: bench.open, patience: bench.patience });
    },
  };
}
