import { randomUUID } from 'node:crypto';
import { Command } from '@commander-js/extra-typings';
import type { TaskInfo } from '@sched/core';
import type { Cli, Session } from '../cli.js';
import { type CreateCommand, count } from '../command.js';
import { exitCodes, explain } from '../errors.js';
import type { Style } from '../output.js';
import { plural } from '../tasks.js';
import { roughLength } from '../times.js';

/** Something that was looked at, and how it is. */
interface Finding {
  readonly check: string;
  readonly level: 'ok' | 'warning' | 'problem';
  readonly message: string;
  /** The tasks that it is about: some of them. */
  readonly ids?: readonly string[];
}

/** How many tasks of a finding are named. All count. */
const namedLimit = 10;

/** Clocks that differ by more are worth a word. Nothing depends on them. */
const clockToleranceMs = 1000;

const styles: Readonly<Record<Finding['level'], Style>> = {
  ok: 'green',
  warning: 'yellow',
  problem: 'red',
};

export const doctor: CreateCommand = (cli) =>
  new Command('doctor')
    .description('looks for what is wrong with a data store and its tasks; reads every task')
    .option('--late <s>', 'by how many seconds a task has to be late to count as stuck', count, 60)
    .option(
      '--slow <ms>',
      'how many milliseconds more than any answer make a call slow',
      count,
      100,
    )
    .option('--no-tasks', 'looks at no tasks, only at the data store')
    .action(async ({ late, slow, tasks }) => {
      const findings: Finding[] = [];
      const onWarning = ({ message }: { message: string }) => {
        findings.push({ check: 'server', level: 'warning', message });
      };
      const source = await cli.source();
      await examine(findings, () =>
        cli.open(
          source,
          async (session) => {
            const message = `${session.place} can be opened, and its schema is current.`;
            findings.unshift({ check: 'schema', level: 'ok', message });
            findings.push(await clockOf(session));
            const privileges = await privilegesOf(session);
            findings.push(...privileges);
            // Otherwise not all of the calls can be made.
            if (privileges.every(({ level }) => level === 'ok')) {
              findings.push(...(await indexesOf(session, slow)));
            }
            if (tasks) findings.push(...(await tasksOf(session, late * 1000)));
          },
          { onWarning },
        ),
      );
      report(cli, findings);
    });

/** Does some work, and makes its failure a finding. */
async function examine(findings: Finding[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { code, message } = explain(error);
    // Without a code it is not what a store or a driver says.
    if (!code) throw error;
    findings.push({ check: 'open', level: 'problem', message: `${code}: ${message}` });
  }
}

/** Writes what was found. A problem makes the process end with a failure. */
function report(cli: Cli, findings: readonly Finding[]): void {
  const { out } = cli;
  const problems = findings.filter(({ level }) => level === 'problem').length;
  cli.exitCode = problems > 0 ? exitCodes.failed : exitCodes.ok;
  out.show(out.redacted({ findings }), () => {
    const rows = findings.map(({ level, check, message, ids = [] }) => [
      out.style(styles[level], level),
      check,
      ids.length > 0 ? `${message} ${ids.join(', ')}` : message,
    ]);
    return out.table(['', 'CHECK', ''], rows, '');
  });
}

async function clockOf({ client }: Session): Promise<Finding> {
  const { stores } = await client.health();
  const [{ clockOffsetMs = null, latencyMs = 0 } = {}] = Object.values(stores);
  const answer = `It answers in ${Math.round(latencyMs)} ms`;
  if (clockOffsetMs === null || Math.abs(clockOffsetMs) <= clockToleranceMs) {
    return { check: 'clock', level: 'ok', message: `${answer}, and its clock is that of here.` };
  }
  const direction = clockOffsetMs > 0 ? 'ahead of' : 'behind';
  const message = `${answer}, and its clock is ${roughLength(Math.abs(clockOffsetMs))} ${direction} the one here. Tasks run by the clock of the store; look at both machines.`;
  return { check: 'clock', level: 'warning', message };
}

/** What is said of a call that was refused. */
function refusal(what: string, error: unknown): Finding {
  const { code = '', message } = explain(error);
  const text = `Cannot ${what}: ${code}: ${message}`;
  return { check: 'privileges', level: 'problem', message: text };
}

/** Makes calls of each kind about a task that is not there, and adds one for as long as that takes. */
async function privilegesOf(session: Session): Promise<Finding[]> {
  const { store } = session;
  const id = `sched-doctor-${randomUUID()}`;
  const claim = { queues: [id], limit: 1, owner: id, leaseMs: 1000 };
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    'read tasks': () => store.get([id]),
    'list tasks': () => store.list({ limit: 1 }),
    'read the history': () => store.history(id, 1),
    'change tasks': () => store.update(id, { body: '{}' }, { revision: 0 }),
    'pause tasks': () => store.setPaused({ ids: [id] }, true),
    'remove tasks': () => store.remove({ ids: [id] }),
    'claim tasks': () => store.claim(claim),
  };
  const refused: Finding[] = [];
  const refusedCalls = new Set<string>();
  for (const [what, call] of Object.entries(calls)) {
    await call().catch((error: unknown) => {
      refusedCalls.add(what);
      refused.push(refusal(what, error));
    });
  }
  const may = Object.keys(calls);
  // What is added has to be removed again.
  if (!refusedCalls.has('remove tasks')) {
    may.push('add tasks');
    await addAndRemove(session, id).catch((error: unknown) => {
      refused.push(refusal('add tasks', error));
    });
  }
  if (refused.length > 0) return refused;
  return [{ check: 'privileges', level: 'ok', message: `May ${may.join(', ')}.` }];
}

/** Adds a task that no worker looks at: it is in a queue of its own, and due in many years. */
async function addAndRemove({ store, clientFor }: Session, id: string): Promise<void> {
  const { client, task } = clientFor('sched-doctor');
  try {
    await client.schedule(task, { id, queue: id, at: new Date('2100-01-01T00:00:00Z') });
  } finally {
    await store.remove({ ids: [id] });
  }
}

/** How often to take the time of a call. The quickest counts: a machine may be busy with other things. */
const timedCalls = 5;

/**
 * Takes the time of what workers do again and again, for which every store has an index. The size of the store makes
 * next to no difference to it as long as that index is there, and is not bloated.
 */
async function indexesOf({ store }: Session, slowMs: number): Promise<Finding[]> {
  const id = `sched-doctor-${randomUUID()}`;
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    'look for due tasks': () => store.claim({ queues: [id], limit: 1, owner: id, leaseMs: 1000 }),
    'read a task by its id': () => store.get([id]),
    'read the history of a task': () => store.history(id, 1),
  };
  const answerMs = await quickest(() => store.now());
  const slow: Finding[] = [];
  for (const [what, call] of Object.entries(calls)) {
    const ms = (await quickest(call)) - answerMs;
    if (ms < slowMs) continue;
    const message = `To ${what} takes ${Math.round(ms)} ms more than any answer: is an index missing, invalid or bloated?`;
    slow.push({ check: 'indexes', level: 'warning', message });
  }
  if (slow.length > 0) return slow;
  return [{ check: 'indexes', level: 'ok', message: 'What workers ask for is found at once.' }];
}

async function quickest(call: () => Promise<unknown>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let count = 0; count < timedCalls; count++) {
    const begun = performance.now();
    await call();
    best = Math.min(best, performance.now() - begun);
  }
  return best;
}

/** What tasks can have wrong with them. */
class Ailment {
  readonly #ids: string[] = [];
  #count = 0;
  readonly #check: string;
  readonly #level: Finding['level'];
  readonly #text: (tasks: string) => string;

  constructor(check: string, level: Finding['level'], text: (tasks: string) => string) {
    this.#check = check;
    this.#level = level;
    this.#text = text;
  }

  add({ id }: TaskInfo): void {
    this.#count++;
    if (this.#ids.length < namedLimit) this.#ids.push(id);
  }

  findings(): Finding[] {
    if (this.#count === 0) return [];
    const message = this.#text(plural(this.#count, 'task'));
    return [{ check: this.#check, level: this.#level, message, ids: this.#ids }];
  }
}

async function tasksOf({ client, store, tasks }: Session, lateMs: number): Promise<Finding[]> {
  const now = await store.now();
  const handled = tasks && new Set(tasks.map(({ name }) => name));
  const late = new Ailment(
    'stuck',
    'problem',
    (some) =>
      `${some} due for more than ${roughLength(lateMs)}: is a worker at work on their queues?`,
  );
  const lapsed = new Ailment(
    'stuck',
    'problem',
    (some) =>
      `${some} held by a worker that has not reported back in time, and nobody has taken over.`,
  );
  const failed = new Ailment(
    'failed',
    'warning',
    (some) => `${some} failed for good. See sched failures, and sched retry.`,
  );
  const unreadable = new Ailment(
    'unreadable',
    'problem',
    (some) => `${some} that cannot be read here: written by a newer version, or damaged.`,
  );
  const unhandled = new Map<string, Ailment>();
  let total = 0;
  for await (const task of client.list()) {
    total++;
    const { state, name, runAt, lease, error } = task;
    if (error) unreadable.add(task);
    if (state === 'failed') failed.add(task);
    if (lease && state !== 'running' && lease.expiresAt.getTime() < now - lateMs) lapsed.add(task);
    else if (state === 'scheduled' && runAt && runAt.getTime() < now - lateMs) late.add(task);
    if (handled && !handled.has(name) && state !== 'finished') {
      const ailment =
        unhandled.get(name) ??
        new Ailment(
          'unhandled',
          'problem',
          (some) => `${some} of ${JSON.stringify(name)}, which the configuration does not define.`,
        );
      unhandled.set(name, ailment);
      ailment.add(task);
    }
  }
  const ailments = [late, lapsed, failed, unreadable, ...unhandled.values()];
  const findings = ailments.flatMap((ailment) => ailment.findings());
  if (findings.length > 0) return findings;
  return [
    { check: 'tasks', level: 'ok', message: `Nothing is wrong with ${plural(total, 'task')}.` },
  ];
}
