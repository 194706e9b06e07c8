import { setTimeout } from 'node:timers/promises';
import { Command } from '@commander-js/extra-typings';
import type { Cli, Session } from '../cli.js';
import { type CreateCommand, count } from '../command.js';
import { Times } from '../times.js';

const states = ['scheduled', 'running', 'paused', 'finished', 'failed'] as const;

/** What a terminal does: another screen, and back; to the top, and clears what is there. */
const screen = {
  enter: '\u001b[?1049h',
  leave: '\u001b[?1049l',
  home: '\u001b[H',
  clear: '\u001b[J',
};

export const top: CreateCommand = (cli) =>
  new Command('top')
    .description(
      'shows what runs and how much waits, again and again; elsewhere than on a terminal, once',
    )
    .option('--interval <s>', 'how many seconds to wait between two looks', count, 2)
    .option('--limit <n>', 'the most running tasks to show', count, 15)
    .action(({ interval, limit }) =>
      cli.onStore(async (session) => {
        const { out, io } = cli;
        if (!io.stdout.isTTY || out.isJson) {
          const look = await lookAt(session, limit);
          out.show(look, () => describe(cli, session, look));
          return;
        }
        const signal = io.interruption();
        out.raw(screen.enter);
        try {
          while (!signal.aborted) {
            const text = describe(cli, session, await lookAt(session, limit));
            out.raw(`${screen.home}${screen.clear}${text}\n`);
            // Rejects only when it is interrupted, which ends the loop.
            await setTimeout(interval * 1000, undefined, { signal }).catch(() => {});
          }
        } finally {
          out.raw(screen.leave);
        }
      }),
    );

type Look = Awaited<ReturnType<typeof lookAt>>;

async function lookAt({ client }: Session, limit: number) {
  const tasks = Object.fromEntries(
    await Promise.all(states.map(async (state) => [state, await client.count({ state })])),
  ) as Record<(typeof states)[number], number>;
  const { tasks: page } = await client.listPage({ state: 'running', limit });
  const running = page.map(({ id, name, queue, attempt, lease }) => ({
    ...{ id, name, queue, attempt },
    owner: lease?.owner ?? null,
    leasedUntil: lease?.expiresAt ?? null,
  }));
  const { stores } = await client.health();
  const { latencyMs = 0, clockOffsetMs = 0 } = Object.values(stores)[0] ?? {};
  return { at: new Date(), latencyMs, clockOffsetMs, tasks, running };
}

function describe({ out }: Cli, { place }: Session, look: Look): string {
  const { at, latencyMs, tasks, running } = look;
  const times = new Times(undefined, at.getTime());
  const rows = running.map(({ id, name, queue, attempt, owner, leasedUntil }) => [
    ...[id, name, queue, attempt, owner],
    leasedUntil && times.from(leasedUntil),
  ]);
  return [
    `${out.style('bold', place)}  ${times.at(at)}  answers in ${Math.round(latencyMs)} ms`,
    '',
    states.map((state) => `${state} ${out.style('bold', String(tasks[state]))}`).join('   '),
    '',
    out.table(
      ['RUNNING', 'NAME', 'QUEUE', 'ATTEMPT', 'WORKER', 'LEASE ENDS'],
      rows,
      'Nothing is running.',
    ),
  ].join('\n');
}
