import { AssertionError } from 'node:assert';
import type { DataStore, TaskRecord } from '../data-store.js';
import { plain, present, same, show } from './check.js';
import type { Bench, CaseDefinition } from './harness.js';
import { start } from './harness.js';
import { Model } from './model.js';
import { listAll } from './pages.js';
import { historyEntry, idsOf, leaseMs, record } from './records.js';
import type { Guarantee } from './types.js';

/** The moment of all races. Every lease from before has run out by then, so all that may be done to a task can be. */
const now = start + 10;

/** The task that two calls are about. It has a queue and a group of its own. */
interface Subject {
  readonly id: string;
  readonly task: TaskRecord;
  /** The token of its lease, or one that no task has. */
  readonly token: number;
}

/** A call that was made. */
interface Made {
  readonly what: string;
  readonly answer: unknown;
  /**
   * Makes the same call in the model.
   *
   * @throws AssertionError when the answer is not the one that the call has to give there
   */
  readonly replay: (model: Model) => void;
}

interface Call {
  /** As in `a pause and an edit that are made at once`. */
  readonly what: string;
  readonly make: (store: DataStore, subject: Subject) => Promise<Made>;
}

/** A call whose answer the model gives. */
function call<T>(
  what: string,
  run: (store: DataStore, subject: Subject) => Promise<T>,
  expected: (model: Model, subject: Subject) => unknown,
): Call {
  return {
    what,
    async make(store, subject) {
      const answer = await run(store, subject);
      const replay = (model: Model) =>
        same(answer, expected(model, subject), `${what} answers as the contract says`);
      return { what, answer, replay };
    },
  };
}

const newcomer = (id: string) => record(id, { queue: id, group: id, body: '"newcomer"' });
const childOf = (id: string) => `${id}-child`;
const change = { name: 'edited', runAt: start - 5, body: '"edited"' };
const ending = { status: 'finished', runAt: null, body: '"ended"' } as const;
const moving = (id: string) => ({ queue: `${id}-moved`, group: `${id}-moved` });
const next = { status: 'scheduled', runAt: start, body: '"settled"' } as const;

const edits: readonly Call[] = [
  call(
    'an edit',
    (store, { id, task }) => store.update(id, change, task),
    (model, { id, task }) => model.update(id, change, task.revision),
  ),
  call(
    'an edit that ends the task',
    (store, { id, task }) => store.update(id, ending, task),
    (model, { id, task }) => model.update(id, ending, task.revision),
  ),
  call(
    'an edit that moves the task',
    (store, { id, task }) => store.update(id, moving(id), task),
    (model, { id, task }) => model.update(id, moving(id), task.revision),
  ),
  call(
    'a pause',
    (store, { id }) => store.setPaused({ ids: [id] }, true),
    (model, { id }) => model.setPaused({ ids: [id] }, true, now),
  ),
  call(
    'an end of the pause',
    (store, { id }) => store.setPaused({ group: id }, false),
    (model, { id }) => model.setPaused({ group: id }, false, now),
  ),
  call(
    'a removal',
    (store, { id }) => store.remove({ ids: [id] }),
    (model, { id }) => model.remove({ ids: [id] }),
  ),
  call(
    'an insertion',
    (store, { id }) => store.insert([newcomer(id)]),
    (model, { id }) => model.insert([newcomer(id)]),
  ),
];

const turns: readonly Call[] = [
  {
    what: 'a claim',
    async make(store, { id }) {
      const request = { queues: [id], limit: 5, owner: 'rival', leaseMs };
      const answer = await store.claim(request);
      return {
        what: 'a claim',
        answer: answer.tasks.map(plain),
        replay(model) {
          // It may pass over a task that another call is at work on.
          if (answer.tasks.length > 0) model.take(request, answer, now);
        },
      };
    },
  },
  call(
    'an extension',
    (store, { id, token }) => store.extend([{ id, token }], leaseMs * 2),
    (model, { id, token }) => model.extend([{ id, token }], leaseMs * 2, now),
  ),
  call(
    'a release',
    (store, { id, token }) => store.release([{ id, token }]),
    (model, { id, token }) => model.release([{ id, token }]),
  ),
  call(
    'a release that defers',
    (store, { id, token }) => store.release([{ id, token, deferUntil: now + 500 }]),
    (model, { id, token }) => model.release([{ id, token, deferUntil: now + 500 }]),
  ),
  call(
    'a settlement',
    (store, subject) => store.settle([settlementOf(subject, next)]),
    (model, subject) => model.settle([settlementOf(subject, next)]),
  ),
  call(
    'a settlement that removes',
    (store, subject) => store.settle([settlementOf(subject, null)]),
    (model, subject) => model.settle([settlementOf(subject, null)]),
  ),
];

function settlementOf({ id, token, task }: Subject, become: typeof next | null) {
  const history = [historyEntry(id, 'run-1')];
  const spawn = [record(childOf(id), { queue: 'children' })];
  return { id, token, revision: task.revision, next: become, history, spawn };
}

const states = ['due', 'run out', 'run out and paused'] as const;
/** How many turns of the event loop the first call of a pair is ahead of the second. */
const leads = [0, 1];

/** Two calls about one task: every two of them, in every state that makes a difference, each first in turn. */
export const racingPairCases: readonly CaseDefinition[] = [
  ...edits.map((edit, index) => pairsOf(edit, [...edits.slice(index), ...turns], 'G6')),
  ...turns.map((turn, index) => pairsOf(turn, turns.slice(index), 'G2')),
];

function pairsOf(first: Call, others: readonly Call[], guarantee: Guarantee): CaseDefinition {
  const kind = guarantee === 'G2' ? 'a call of another owner' : 'any other call';
  return {
    name: `${first.what} and ${kind} that are made at once have the effect of one after the other`,
    guarantee,
    async run(bench) {
      const pairs = others.flatMap((other) => [[first, other] as const, [other, first] as const]);
      await race(
        bench,
        pairs.flatMap((pair) =>
          states.flatMap((state) => leads.map((lead) => ({ pair, state, lead }))),
        ),
      );
    },
  };
}

interface Round {
  readonly pair: readonly [Call, Call];
  readonly state: (typeof states)[number];
  readonly lead: number;
}

async function race({ openMany, clock }: Bench, rounds: readonly Round[]): Promise<void> {
  const stores = await openMany(4);
  const handle = (index: number) => present(stores[index % stores.length], 'handles were opened');
  const store = handle(0);
  const ids = rounds.map((_, index) => `task-${index}`);
  await store.insert(ids.map((id) => record(id, { queue: id, group: id })));
  const inState = (state: string) => ids.filter((_, index) => rounds[index]?.state.includes(state));
  const leased = inState('run out');
  await store.claim({ queues: leased, limit: leased.length, owner: 'owner', leaseMs: 10 });
  await store.setPaused({ ids: inState('paused') }, true);
  const tasks = await store.get(ids);
  clock.now = now;
  const races = await Promise.all(
    rounds.map(async ({ pair: [first, second], lead }, index) => {
      const task = present(tasks[index], 'what was inserted is there');
      const subject = { id: task.id, task, token: task.lease?.token ?? -1 };
      const made = await Promise.all([
        first.make(handle(index), subject),
        later(lead, () => second.make(handle(index + 1), subject)),
      ]);
      return { subject, made };
    }),
  );
  const after = await store.get(ids);
  const children = await store.get(ids.map(childOf));
  for (const [index, { subject, made }] of races.entries()) {
    const entries = made.some(({ what }) => what.startsWith('a settlement'))
      ? (await store.history(subject.id, 10)).map(({ id }) => id)
      : [];
    isSerial(`a task that was ${rounds[index]?.state}`, subject, made, {
      task: after[index],
      child: children[index],
      history: store.capabilities.history ? entries : undefined,
    });
  }
  clock.advance(leaseMs * 10);
  const kept = [...after, ...children].filter((task) => task !== undefined);
  const listed = idsOf(await listAll(store));
  same(listed.sort(), idsOf(kept).sort(), 'what is there after a race is listed, each once');
  const queues = [...new Set([...ids, 'children', ...kept.map(({ queue }) => queue)])];
  const claimed = await store.claim({ queues, limit: 1000, owner: 'last', leaseMs });
  const claimable = kept.filter(({ wakeAt }) => wakeAt !== null);
  same(
    idsOf(claimed.tasks).sort(),
    idsOf(claimable).sort(),
    'what has a wakeAt after a race is claimed in the end, each once',
  );
}

/** What a race left behind. */
interface Outcome {
  readonly task: TaskRecord | undefined;
  readonly child: TaskRecord | undefined;
  /** Undefined when the store keeps none. */
  readonly history: readonly string[] | undefined;
}

/** Requires that two calls answered, and left behind, what they do when one is made after the other. */
function isSerial(
  state: string,
  subject: Subject,
  [first, second]: readonly [Made, Made],
  outcome: Outcome,
): void {
  const reasons: string[] = [];
  for (const order of [
    [first, second],
    [second, first],
  ]) {
    const reason = whyNot(subject, order, outcome);
    if (reason === undefined) return;
    reasons.push(`not ${order.map(({ what }) => what).join(', then ')}: ${reason}`);
  }
  const lines = [
    `${first.what} and ${second.what} that are made at once have the effect of one after the other`,
    `of ${state}: ${show(plain(subject.task))}`,
    `${first.what} answered ${show(first.answer)}`,
    `${second.what} answered ${show(second.answer)}`,
    `and then there was ${show({ ...outcome, task: plain(outcome.task), child: outcome.child?.id })}`,
    ...reasons,
  ];
  throw new AssertionError({ message: lines.join('\n  ') });
}

/** Says why an outcome is not that of these calls, made in this order. */
function whyNot(
  { id, task }: Subject,
  order: readonly Made[],
  { task: after, child, history }: Outcome,
): string | undefined {
  const model = new Model();
  model.adopt(task);
  try {
    for (const { replay } of order) {
      replay(model);
      model.expected(id, after);
    }
    same(plain(after), model.expected(id, after), 'the record is as both calls together leave it');
    same(
      plain(child),
      model.expected(childOf(id), child),
      'a settlement spawns if and only if it is applied',
    );
    const entries = history && model.history.newest(id, 10);
    same(history, entries, 'a settlement adds to the history if and only if it is applied');
  } catch (error) {
    if (error instanceof AssertionError) return error.message.replaceAll('\n', '\n  ');
    throw error;
  }
  return undefined;
}

/** Makes a call after some turns of the event loop. */
async function later<T>(turns: number, run: () => Promise<T>): Promise<T> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
  return run();
}
