/**
 * An oracle for local time that shares nothing with the code under test: it asks the platform what the wall clock
 * shows at every single minute, and looks the answers up.
 */

export const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

/** What a zone's wall clock shows at a whole minute, as if it were UTC. */
function wallReader(zone: string): (at: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  return (at) => {
    const parts: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(at)) parts[type] = Number(value);
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute);
  };
}

export interface WallClock {
  /** What the clock shows at a moment, as if it were UTC. */
  wallAt(at: number): number;
  /**
   * The first moment in the table at which the clock shows `wall`, or else the first one after the gap that holds it;
   * `undefined` where the table does not reach.
   */
  momentOf(wall: number): number | undefined;
}

/** The wall clock of a zone, tabulated from one whole minute to another. */
export function wallClock(zone: string, from: number, to: number): WallClock {
  const read = wallReader(zone);
  const first = new Map<number, number>();
  const gaps: { at: number; after: number; upTo: number }[] = [];
  let before: number | undefined;
  for (let at = from; at < to; at += MINUTE_MS) {
    const wall = read(at);
    if (!first.has(wall)) first.set(wall, at);
    if (before !== undefined && wall > before + MINUTE_MS) {
      gaps.push({ at, after: before, upTo: wall });
    }
    before = wall;
  }
  return {
    wallAt(at) {
      const seconds = ((at % MINUTE_MS) + MINUTE_MS) % MINUTE_MS;
      return read(at - seconds) + seconds;
    },
    momentOf(wall) {
      const seconds = ((wall % MINUTE_MS) + MINUTE_MS) % MINUTE_MS;
      const at = first.get(wall - seconds);
      if (at !== undefined) return at + seconds;
      const minute = wall - seconds;
      return gaps.find(({ after, upTo }) => minute > after && minute < upTo)?.at;
    },
  };
}

/** Transitions of every kind: the zone, and a moment near the change of its clock. */
export const transitions: readonly (readonly [zone: string, near: string, what: string])[] = [
  ['Europe/Berlin', '2026-03-29T01:00Z', 'an hour lost at two'],
  ['Europe/Berlin', '2026-10-25T01:00Z', 'an hour gained at three'],
  ['America/New_York', '2026-03-08T07:00Z', 'an hour lost'],
  ['America/New_York', '2026-11-01T06:00Z', 'an hour gained'],
  ['Australia/Lord_Howe', '2026-04-04T15:00Z', 'half an hour gained'],
  ['Australia/Lord_Howe', '2026-10-03T15:30Z', 'half an hour lost'],
  ['Antarctica/Troll', '2026-03-29T01:00Z', 'two hours lost'],
  ['Antarctica/Troll', '2026-10-25T01:00Z', 'two hours gained'],
  ['Pacific/Apia', '2011-12-30T10:00Z', 'a day lost'],
  ['Pacific/Kwajalein', '1969-09-30T13:00Z', '23 hours gained'],
  ['Pacific/Kwajalein', '1993-08-21T12:00Z', 'a day lost'],
  ['America/Sao_Paulo', '2018-11-04T03:00Z', 'midnight lost'],
  ['America/Sao_Paulo', '2018-02-18T02:00Z', 'the hour before midnight gained'],
  ['America/St_Johns', '2006-04-02T03:31Z', 'an hour lost at one past midnight'],
  ['America/St_Johns', '2006-10-29T02:31Z', 'back across midnight at one past'],
  ['Africa/Casablanca', '2026-02-15T02:00Z', 'an hour gained for Ramadan'],
  ['Asia/Pyongyang', '2018-05-04T15:00Z', 'half an hour lost, for good'],
  ['Asia/Kathmandu', '1985-12-31T18:30Z', 'a quarter of an hour lost, for good'],
];
