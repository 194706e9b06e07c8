import { existsSync, watch } from 'node:fs';
// Not the globals: those stand still where a test has put fake ones in their place.
import { clearTimeout, setTimeout } from 'node:timers';
import type { WakeUp } from '@sched/core';
import type { Subscribe } from '@sched/core/adapter';
import type { Executor } from './executor.js';
import { fileOf, type Session } from './session.js';
import type { Statements } from './statements.js';

/** The pauses between two looks, in milliseconds: after a change of the file, when it is still, and without events. */
const pausesMs = { least: 4, still: 250, blind: 25 };

/**
 * Looks again and again whether anything was committed, and then tells of the first task of each queue: no other can be
 * news to who waits. The file system says when to look often. It cannot say more, since it tells of what is written,
 * which may be long before the commit is through.
 */
export function lookAgain({ call }: Executor, sql: Statements): Subscribe {
  /** Another text after each commit, on this connection or on another. */
  const look = () => call((session) => String(session.get(sql.version)));

  return async ({ hear, lost }) => {
    let seen = await look();
    const events = eventsOf(await call((session) => fileOf(session)));
    const mostMs = events ? pausesMs.still : pausesMs.blind;
    let pauseMs = mostMs;
    let isLooking = false;
    let isOver = false;
    let timer = setTimeout(visit, pauseMs);
    const stop = () => {
      isOver = true;
      clearTimeout(timer);
      events?.close();
    };

    async function visit(): Promise<void> {
      isLooking = true;
      try {
        const found = await look();
        const isNews = found !== seen;
        seen = found;
        const firsts = isNews ? await call((session) => firstOfEach(session, sql)) : [];
        for (const first of firsts) if (!isOver) hear(first);
        if (isOver) return;
        pauseMs = Math.min(2 * pauseMs, mostMs);
        timer = setTimeout(visit, pauseMs);
        isLooking = false;
      } catch {
        if (!isOver) lost();
        stop();
      }
    }

    // Without events, the looks in between are all there is.
    events?.on('error', () => {});
    events?.on('change', () => {
      if (pauseMs === pausesMs.least) return;
      pauseMs = pausesMs.least;
      if (isLooking) return;
      clearTimeout(timer);
      timer = setTimeout(visit, pauseMs);
    });
    return stop;
  };
}

/** What tells of changes of the database; nothing where the system refuses. */
function eventsOf(file: string) {
  const log = `${file}-wal`;
  try {
    // What keeps the process going is the timer.
    return watch(existsSync(log) ? log : file, { persistent: false });
  } catch {
    return undefined;
  }
}

function firstOfEach(session: Session, sql: Statements): WakeUp[] {
  const firsts: WakeUp[] = [];
  // From one queue to the next: no text comes between another and the same with a character 0 behind it.
  for (let from = ''; ; ) {
    const [queue, wakeAt] = session.get<[string, number]>(sql.nextQueue, from) ?? [];
    if (queue === undefined || wakeAt === undefined) return firsts;
    firsts.push({ queue, wakeAt });
    from = `${queue}\0`;
  }
}
