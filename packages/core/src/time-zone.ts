/**
 * Time zones: the offset between local time and UTC, at any moment and for any local time.
 *
 * The only source of facts is the platform's `Intl.DateTimeFormat`, which costs about a microsecond an answer. So
 * offsets are learnt in windows of a few days, as they are needed, and kept: asking again costs nanoseconds.
 *
 * A *local time* is written here as a number too: the epoch milliseconds that the same wall clock would show in UTC.
 * So `local = utc + offset`, and `Date.UTC(2026, 2, 29, 2, 30)` is half past two on any wall.
 */

import { DAY_MS } from './duration.js';
import { SchedError } from './errors.js';
import { show } from './show.js';

/**
 * A stretch of time, from `start` up to but not including `end`, in which a zone's offset stays the same. Stretches
 * also end where nothing changes, so that a zone can be explored piece by piece.
 */
export interface OffsetSpan {
  /** The first moment of the stretch; `-Infinity` when nothing came before. */
  readonly start: number;
  /** The first moment after the stretch; `Infinity` when nothing follows. */
  readonly end: number;
  /** Local time minus UTC, in milliseconds. */
  readonly offset: number;
  /**
   * When the clocks were last changed, to this offset. It is `start`, or up to a day earlier where a stretch was cut
   * in two soon after a change. Where there was no change in that time it is `start`, and `before` equals `offset`.
   */
  readonly changedAt: number;
  /**
   * The offset just before `changedAt`. Where it is smaller than `offset`, the local times from `changedAt + before`
   * up to `changedAt + offset` do not exist (a gap); where it is larger, those from `changedAt + offset` up to
   * `changedAt + before` come twice (a fold).
   */
  readonly before: number;
}

/** An IANA time zone. */
export interface TimeZone {
  /** The name that it was asked for by. */
  readonly name: string;
  /**
   * Local time minus UTC at a moment, in milliseconds. Historic offsets of odd seconds are exact. Moments beyond the
   * range of `Date` get the offset at its end.
   */
  offsetAt(epochMs: number): number;
  /** The stretch of constant offset that holds a moment. */
  spanAt(epochMs: number): OffsetSpan;
  /** The moments at which the wall clock shows a local time: none in a gap, two in a fold, in order; otherwise one. */
  momentsOf(localMs: number): readonly number[];
  /** The first moment after the gap that swallowed a local time; `null` when the local time exists. */
  gapEnd(localMs: number): number | null;
}

/**
 * How much is learnt at a time, besides the day before. No zone ever leaves an offset and comes back to it within less
 * than a week (Recife in October 2000, Gaza in October 2040), so equal offsets at both ends mean no change between.
 */
const WINDOW_MS = 5 * DAY_MS;

/** Windows begin half a second off, since transitions happen at whole seconds: so never at the edge of a window. */
const WINDOW_START_MS = 500;

/** Stretches kept for a zone (followed forward, it takes one for each change of its clocks), and zones kept in all. */
const MAX_SPANS = 1000;
const MAX_ZONES = 1000;

/** The range of `Date`. */
const MAX_DATE_MS = 8.64e15;

const zones = /* @__PURE__ */ new Map<string, TimeZone>();

/**
 * Looks up a time zone by its IANA name, in any case: `'Europe/Berlin'`, `'UTC'`, `'Etc/GMT+5'`.
 *
 * @throws SchedError `SCHED_TIME_ZONE_UNKNOWN` when this runtime knows no such zone
 */
export function timeZone(name: string): TimeZone {
  let zone = zones.get(name);
  if (!zone) {
    zone = makeTimeZone(name, offsetReader(name));
    if (zones.size >= MAX_ZONES) zones.clear();
    zones.set(name, zone);
  }
  return zone;
}

function makeTimeZone(name: string, readOffset: (epochMs: number) => number): TimeZone {
  const spanAt = learntSpans(name, readOffset);

  /** The stretches in which a local time could lie, or in the gap before them. */
  function around(localMs: number): readonly OffsetSpan[] {
    const spans: OffsetSpan[] = [];
    // No wall clock was ever a whole day ahead of UTC or behind it.
    let at = localMs - DAY_MS;
    do {
      const span = spanAt(at);
      spans.push(span);
      at = span.end;
    } while (at <= localMs + DAY_MS);
    return spans;
  }

  return {
    name,
    offsetAt: (epochMs) => spanAt(epochMs).offset,
    spanAt,
    momentsOf(localMs) {
      const moments = around(localMs)
        .filter(({ start, end, offset }) => localMs - offset >= start && localMs - offset < end)
        .map(({ offset }) => localMs - offset);
      // A stretch that has grown while it was being looked at is there twice.
      return [...new Set(moments)];
    },
    gapEnd(localMs) {
      const after = around(localMs).find(
        ({ changedAt, before, offset }) =>
          localMs >= changedAt + before && localMs < changedAt + offset,
      );
      return after ? after.changedAt : null;
    },
  };
}

/** Answers from the stretches learnt so far, in order and without overlap, and learns another window when it must. */
function learntSpans(
  name: string,
  readOffset: (epochMs: number) => number,
): (epochMs: number) => OffsetSpan {
  // Zones that never change their clocks leave nothing to learn.
  const isFixed = /^(?:utc|gmt|etc\/.+)$/i.test(name);
  const start = isFixed ? Number.NEGATIVE_INFINITY : 0;
  let last = constantSpan(start, -start, isFixed ? readOffset(0) : 0);
  const spans: OffsetSpan[] = [];

  /** The index of the first stretch that ends after a moment. */
  function indexFor(at: number): number {
    let low = 0;
    let high = spans.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((spans[middle]?.end ?? 0) > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Learns the window that holds a moment, and joins it to the stretch before where that is known. */
  function learn(at: number): void {
    if (spans.length >= MAX_SPANS) spans.length = 0;
    const from = Math.floor((at - WINDOW_START_MS) / WINDOW_MS) * WINDOW_MS + WINDOW_START_MS;
    const to = from + WINDOW_MS;
    const index = indexFor(at);
    const neighbour = spans[index - 1];
    const isJoined = neighbour?.end === from;

    let known = isJoined ? from : from - DAY_MS;
    let span = isJoined
      ? neighbour
      : constantSpan(from < -MAX_DATE_MS ? Number.NEGATIVE_INFINITY : from, to, readOffset(known));
    const finalOffset = readOffset(to);
    const learnt: OffsetSpan[] = [];
    while (span.offset !== finalOffset) {
      // Narrows down the second in which the offset changes. Both ends stay half a second off the change.
      let changed = to;
      while (changed - known > 1000) {
        const middle = known + Math.floor((changed - known) / 2000) * 1000;
        if (readOffset(middle) === span.offset) known = middle;
        else changed = middle;
      }
      known = changed;
      const changedAt = changed - 500;
      if (changedAt > from) learnt.push({ ...span, end: changedAt });
      span = {
        start: Math.max(changedAt, from),
        end: to,
        offset: readOffset(changed),
        changedAt,
        before: span.offset,
      };
    }
    learnt.push({ ...span, end: to > MAX_DATE_MS ? Number.POSITIVE_INFINITY : to });
    spans.splice(index - Number(isJoined), Number(isJoined), ...learnt);
  }

  return function spanAt(epochMs) {
    if (epochMs >= last.start && epochMs < last.end) return last;
    const at = Math.min(Math.max(epochMs, -MAX_DATE_MS), MAX_DATE_MS);
    let span = spans[indexFor(at)];
    if (!span || at < span.start) {
      learn(at);
      span = spans[indexFor(at)] ?? last;
    }
    last = span;
    return span;
  };
}

function constantSpan(start: number, end: number, offset: number): OffsetSpan {
  return { start, end, offset, changedAt: start, before: offset };
}

/** A function that asks the platform for the offset at a moment. */
function offsetReader(name: string): (epochMs: number) => number {
  let format: Intl.DateTimeFormat;
  try {
    // Some runtimes take '+02:00' for a zone and some do not, and a schedule must mean the same on all of them.
    if (typeof name !== 'string' || !/^[a-z]/i.test(name)) throw new RangeError('Not a name');
    // The hour is there for speed alone: without a part of the time, `format` adds the date, and takes twice as long.
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hour: 'numeric',
      timeZoneName: 'longOffset',
    });
  } catch (cause) {
    throw new SchedError(
      'SCHED_TIME_ZONE_UNKNOWN',
      `There is no time zone ${show(name)} in this runtime. Use an IANA name such as 'Europe/Berlin', ` +
        `'America/New_York' or 'UTC' (for a fixed offset such as UTC+2: 'Etc/GMT-2', whose sign is reversed).`,
      { cause, details: { timeZone: name } },
    );
  }
  return (epochMs) => {
    const at = Math.min(Math.max(epochMs, -MAX_DATE_MS), MAX_DATE_MS);
    // '2 PM GMT+01:00', with seconds only where there are any: '2 PM GMT-00:44:30'
    const [, sign, hours = 0, minutes = 0, seconds = 0] =
      /GMT(?:(.)(\d+):(\d+)(?::(\d+))?)?$/.exec(format.format(at)) ?? [];
    const offset = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
    return sign === '-' ? -offset : offset;
  };
}
