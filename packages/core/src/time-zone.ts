/**
 * Time zones: the offset between local time and UTC, at any moment and for any local time.
 *
 * The only source of facts is the platform's `Intl.DateTimeFormat`, which takes about a microsecond per answer. So this
 * module learns offsets in windows of a few days, when they are needed, and keeps them: a repeated question takes
 * nanoseconds.
 *
 * A *local time* is a number here, too: the epoch milliseconds at which a clock in UTC shows the same time. So
 * `local = utc + offset`, and `Date.UTC(2026, 2, 29, 2, 30)` is 2:30 in any zone.
 */

import { DAY_MS } from './duration.js';
import { SchedError } from './errors.js';
import { show } from './show.js';

/**
 * A stretch of time, from `start` up to but not including `end`, in which a zone's offset stays the same. A stretch may
 * also end where nothing changes, so that a zone can be explored piece by piece.
 */
export interface OffsetSpan {
  /** The first moment of the stretch; `-Infinity` for the first stretch. */
  readonly start: number;
  /** The first moment after the stretch; `Infinity` for the last stretch. */
  readonly end: number;
  /** Local time minus UTC, in milliseconds. */
  readonly offset: number;
  /**
   * When the clocks last changed, to this offset. Equals `start`, or is up to a day earlier if a stretch was cut in two
   * soon after a change. If there was no change in that time, it equals `start`, and `before` equals `offset`.
   */
  readonly changedAt: number;
  /**
   * The offset just before `changedAt`. If it is smaller than `offset`, the local times from `changedAt + before` up to
   * `changedAt + offset` do not exist (a gap). If it is larger, those from `changedAt + offset` up to
   * `changedAt + before` come twice (a fold).
   */
  readonly before: number;
}

/** An IANA time zone. */
export interface TimeZone {
  /** The name given to {@link timeZone}. */
  readonly name: string;
  /**
   * Local time minus UTC at a moment, in milliseconds. Historic offsets with odd seconds are exact. Moments beyond the
   * range of `Date` get the offset at its end.
   */
  offsetAt(epochMs: number): number;
  /** The stretch of constant offset that holds a moment. */
  spanAt(epochMs: number): OffsetSpan;
  /** The moments at which clocks show a local time, in order: none in a gap, two in a fold, otherwise one. */
  momentsOf(localMs: number): readonly number[];
  /** The first moment after the gap that a local time falls into; `null` when the local time exists. */
  gapEnd(localMs: number): number | null;
}

/**
 * How much to learn at a time, besides the day before. No zone leaves an offset and returns to it in less than a week
 * (Recife in October 2000, Gaza in October 2040). So equal offsets at both ends mean that there is no change between.
 */
const WINDOW_MS = 5 * DAY_MS;

/** Windows begin half a second off. Changes happen at whole seconds, so never at the edge of a window. */
const WINDOW_START_MS = 500;

/** The most stretches to keep per zone (a search forward needs one per change of the clocks), and the most zones. */
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

  /** The stretches that a local time could lie in, or in the gap before them. */
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
      // A stretch that grew during the search appears twice.
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

/** Answers from the stretches learnt so far, which are in order and do not overlap. Learns more windows when needed. */
function learntSpans(
  name: string,
  readOffset: (epochMs: number) => number,
): (epochMs: number) => OffsetSpan {
  // For zones that never change their clocks there is nothing to learn.
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

  /** Learns the window that holds a moment, and joins it to the stretch before it if that is known. */
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
      // Find the second in which the offset changes, by bisection. Both ends stay half a second off the change.
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
    // Some runtimes accept '+02:00' as a zone and some do not, but a schedule must mean the same on all of them.
    if (typeof name !== 'string' || !/^[a-z]/i.test(name)) throw new RangeError('Not a name');
    // The hour is only for speed: without a part of the time, `format` adds the date and takes twice as long.
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
    // '2 PM GMT+01:00', with seconds only if there are any: '2 PM GMT-00:44:30'
    const [, sign, hours = 0, minutes = 0, seconds = 0] =
      /GMT(?:(.)(\d+):(\d+)(?::(\d+))?)?$/.exec(format.format(at)) ?? [];
    const offset = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
    return sign === '-' ? -offset : offset;
  };
}
