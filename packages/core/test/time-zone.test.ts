import { afterEach, describe, expect, it, vi } from 'vitest';
import { isSchedError } from '../src/errors.js';
import { timeZone } from '../src/time-zone.js';
import { codeOf } from './support/occurrences.js';
import { inAnyCase, numbers, pick } from './support/random.js';
import { transitions } from './support/wall-clock.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const zones = Intl.supportedValuesOf('timeZone');

afterEach(() => {
  vi.restoreAllMocks();
});

/** The offset that the platform's own calendar and clock show, by another way than the one under test. */
function shownOffset(zone: string): (at: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (at) => {
    const [month = 0, day = 0, year = 0, hour = 0, minute = 0, second = 0] = (
      format.format(at).match(/\d+/g) ?? []
    ).map(Number);
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
  };
}

/** A zone that nothing has been learnt of yet. */
function freshZone(name: string, random: () => number) {
  return timeZone(inAnyCase(random, name));
}

describe('offsetAt', () => {
  it.each([
    ['UTC', '2026-07-01T00:00Z', 0],
    ['Europe/Berlin', '2026-01-01T00:00Z', 1 * HOUR_MS],
    ['Europe/Berlin', '2026-07-01T00:00Z', 2 * HOUR_MS],
    ['America/New_York', '2026-07-01T00:00Z', -4 * HOUR_MS],
    ['Asia/Kathmandu', '2026-01-01T00:00Z', 5.75 * HOUR_MS],
    ['Etc/GMT-2', '2026-01-01T00:00Z', 2 * HOUR_MS],
    ['Pacific/Apia', '2011-12-30T09:59:59.999Z', -10 * HOUR_MS],
    ['Pacific/Apia', '2011-12-30T10:00Z', 14 * HOUR_MS],
    ['Africa/Monrovia', '1970-01-01T00:00Z', -(44 * 60 + 30) * 1000],
    ['America/New_York', '1800-01-01T00:00Z', -(4 * 3600 + 56 * 60 + 2) * 1000],
  ])('of %s at %s', (zone, at, offset) => {
    expect(timeZone(zone).offsetAt(Date.parse(at))).toBe(offset);
  });

  it("is what the platform's clock shows, in every zone and at every change of its clocks", () => {
    const random = numbers(1);
    for (const name of zones) {
      const zone = timeZone(name);
      const shown = shownOffset(name);
      for (let n = 0; n < 40; n++) {
        const at = Math.floor(
          Date.UTC(1845, 0) + random() * (Date.UTC(2100, 0) - Date.UTC(1845, 0)),
        );
        const { changedAt } = zone.spanAt(at);
        for (const near of [at, changedAt - 1, changedAt]) {
          expect([name, near, zone.offsetAt(near)]).toEqual([name, near, shown(near)]);
        }
      }
    }
  });

  it('holds at the ends of the range of Date and beyond', () => {
    const berlin = timeZone('Europe/Berlin');
    const earliest = (53 * 60 + 28) * 1000;
    expect(berlin.offsetAt(-8.64e15)).toBe(earliest);
    expect(berlin.offsetAt(-1e300)).toBe(earliest);
    expect(berlin.offsetAt(Number.NEGATIVE_INFINITY)).toBe(earliest);
    const latest = berlin.offsetAt(8.64e15);
    expect(berlin.offsetAt(8.7e15)).toBe(latest);
    expect(berlin.offsetAt(Number.POSITIVE_INFINITY)).toBe(latest);
    expect(berlin.spanAt(8.64e15).end).toBe(Number.POSITIVE_INFINITY);
    expect(berlin.spanAt(-8.64e15).start).toBe(Number.NEGATIVE_INFINITY);
    expect(timeZone('UTC').offsetAt(Number.POSITIVE_INFINITY)).toBe(0);
  });

  it('asks the platform once about each stretch of days, and never about UTC', () => {
    const prototype: { readonly format: unknown } = Intl.DateTimeFormat.prototype;
    const format = vi.spyOn(prototype, 'format', 'get');
    const berlin = timeZone('europe/BERLIN');
    const from = Date.UTC(2031, 0);
    for (let hour = 0; hour < 365 * 24; hour++) berlin.offsetAt(from + hour * HOUR_MS);
    const asked = format.mock.calls.length;
    // One answer for each window of five days, and about twenty for each of the two changes.
    expect(asked).toBeGreaterThan(70);
    expect(asked).toBeLessThan(130);
    for (let hour = 365 * 24; hour >= 0; hour--) berlin.offsetAt(from + hour * HOUR_MS);
    expect(format.mock.calls.length).toBe(asked);

    const utc = timeZone('utc');
    format.mockClear();
    for (let year = 1900; year < 2100; year++) utc.offsetAt(Date.UTC(year, 6));
    expect(format).not.toHaveBeenCalled();
  });

  it('gives the same answers when it has had to forget some', () => {
    const zone = timeZone('EUROPE/berlin');
    const winters = Array.from({ length: 1200 }, (_, n) => Date.UTC(2000 + n, 0, 15));
    for (const pass of [1, 2]) {
      for (const at of winters) expect([pass, at, zone.offsetAt(at)]).toEqual([pass, at, HOUR_MS]);
    }
  });
});

describe('spanAt', () => {
  it('holds the moment, and offsets change only between stretches', () => {
    const random = numbers(2);
    for (const [name, near] of transitions) {
      const zone = freshZone(name, random);
      const end = Date.parse(near) + 40 * DAY_MS;
      for (let at = Date.parse(near) - 40 * DAY_MS; at < end; ) {
        const span = zone.spanAt(at);
        expect(span.start).toBeLessThanOrEqual(at);
        expect(span.end).toBeGreaterThan(at);
        expect(zone.offsetAt(span.start)).toBe(span.offset);
        expect(zone.offsetAt(span.end - 1)).toBe(span.offset);
        expect(zone.offsetAt(span.changedAt)).toBe(span.offset);
        expect(zone.offsetAt(span.changedAt - 1)).toBe(span.before);
        at = span.end;
      }
    }
  });

  it('knows for a day when the clocks were changed, also where a stretch was cut in two since', () => {
    const random = numbers(3);
    let cuts = 0;
    for (const [name, near] of transitions) {
      for (let hours = 0; hours < 24; hours++) {
        const at = Date.parse(near);
        const zone = freshZone(name, random);
        const span = zone.spanAt(at + hours * HOUR_MS + 1000);
        if (span.start > at) cuts++;
        expect(Math.abs(span.changedAt - at)).toBeLessThanOrEqual(1000);
        expect(span.before).toBe(zone.offsetAt(at - 1000));
        expect(span.before).not.toBe(span.offset);
      }
    }
    expect(cuts).toBeGreaterThan(0);
  });

  it('tells apart two changes a month apart', () => {
    const zone = timeZone('Africa/Casablanca');
    const changes = new Set<string>();
    for (let at = Date.UTC(2024, 0); at < Date.UTC(2025, 0); ) {
      const { changedAt, before, offset, end } = zone.spanAt(at);
      if (before !== offset) {
        changes.add(`${new Date(changedAt).toISOString()} ${(offset - before) / HOUR_MS}`);
      }
      at = end;
    }
    expect([...changes]).toEqual(['2024-03-10T02:00:00.000Z -1', '2024-04-14T02:00:00.000Z 1']);
  });
});

describe('momentsOf and gapEnd', () => {
  it.each([
    // [zone, local time, its moments, the end of the gap that it is in]
    ['Europe/Berlin', '2026-06-01T12:00Z', ['2026-06-01T10:00Z'], null],
    ['Europe/Berlin', '2026-03-29T01:59:59.999Z', ['2026-03-29T00:59:59.999Z'], null],
    ['Europe/Berlin', '2026-03-29T02:00Z', [], '2026-03-29T01:00Z'],
    ['Europe/Berlin', '2026-03-29T02:59:59.999Z', [], '2026-03-29T01:00Z'],
    ['Europe/Berlin', '2026-03-29T03:00Z', ['2026-03-29T01:00Z'], null],
    ['Europe/Berlin', '2026-10-25T01:59:59.999Z', ['2026-10-24T23:59:59.999Z'], null],
    ['Europe/Berlin', '2026-10-25T02:00Z', ['2026-10-25T00:00Z', '2026-10-25T01:00Z'], null],
    ['Europe/Berlin', '2026-10-25T03:00Z', ['2026-10-25T02:00Z'], null],
    ['Australia/Lord_Howe', '2026-10-04T02:15Z', [], '2026-10-03T15:30Z'],
    ['Australia/Lord_Howe', '2026-04-05T01:45Z', ['2026-04-04T14:45Z', '2026-04-04T15:15Z'], null],
    ['Antarctica/Troll', '2026-03-29T02:59Z', [], '2026-03-29T01:00Z'],
    ['Antarctica/Troll', '2026-10-25T01:30Z', ['2026-10-24T23:30Z', '2026-10-25T01:30Z'], null],
    ['Pacific/Apia', '2011-12-29T23:59Z', ['2011-12-30T09:59Z'], null],
    ['Pacific/Apia', '2011-12-30T00:00Z', [], '2011-12-30T10:00Z'],
    ['Pacific/Apia', '2011-12-30T23:59Z', [], '2011-12-30T10:00Z'],
    ['Pacific/Apia', '2011-12-31T00:00Z', ['2011-12-30T10:00Z'], null],
    ['Pacific/Kwajalein', '1969-09-30T12:00Z', ['1969-09-30T01:00Z', '1969-10-01T00:00Z'], null],
    ['America/Sao_Paulo', '2018-11-04T00:30Z', [], '2018-11-04T03:00Z'],
    ['UTC', '2026-03-29T02:30Z', ['2026-03-29T02:30Z'], null],
  ])('in %s, of %s', (name, local, moments, gapEnd) => {
    const zone = timeZone(name);
    expect(zone.momentsOf(Date.parse(local))).toEqual(moments.map((at) => Date.parse(at)));
    expect(zone.gapEnd(Date.parse(local))).toBe(gapEnd === null ? null : Date.parse(gapEnd));
  });

  it('agree with the offsets, in every zone, whatever has been learnt before', () => {
    const random = numbers(4);
    for (const name of zones) {
      const known = timeZone(name);
      for (let n = 0; n < 12; n++) {
        const { changedAt, offset, before } = known.spanAt(
          Math.floor(Date.UTC(1850, 0) + random() * (Date.UTC(2090, 0) - Date.UTC(1850, 0))),
        );
        const [earlier, later] = [
          changedAt + Math.min(before, offset),
          changedAt + Math.max(before, offset),
        ];
        const local = pick(random, [earlier, (earlier + later) / 2, later - 1, later]);
        const zone = freshZone(name, random);
        const moments = zone.momentsOf(local);
        const gapEnd = zone.gapEnd(local);

        // Whatever the offset is within a day of the local time, read as UTC, covers every moment that it can be.
        const offsets = new Set<number>();
        for (let hours = -24; hours <= 24; hours++) {
          offsets.add(known.offsetAt(local + hours * HOUR_MS));
        }
        const expected = [...offsets]
          .map((offset) => local - offset)
          .filter((at) => at + known.offsetAt(at) === local)
          .sort((a, b) => a - b);
        expect([name, local, moments]).toEqual([name, local, expected]);
        expect([name, local, gapEnd === null]).toEqual([name, local, expected.length > 0]);
        if (gapEnd !== null) {
          expect(gapEnd - 1 + known.offsetAt(gapEnd - 1)).toBeLessThan(local);
          expect(gapEnd + known.offsetAt(gapEnd)).toBeGreaterThan(local);
        }
      }
    }
  });
});

describe('timeZone', () => {
  it('gives the same zone for the same name', () => {
    expect(timeZone('Europe/Berlin')).toBe(timeZone('Europe/Berlin'));
    expect(timeZone('Europe/Berlin').name).toBe('Europe/Berlin');
  });

  it('knows every zone that the platform lists, aliases, and names in any case', () => {
    for (const name of [...zones, 'Etc/UTC', 'US/Eastern', 'Asia/Calcutta', 'europe/berlin']) {
      expect(timeZone(name).name).toBe(name);
    }
  });

  it.each([
    'Europe/Berln',
    'Mars/Phobos',
    'Europe/Berlin ',
    ' UTC',
    'local',
    '',
    '+02:00',
    'UTC+2',
    '../etc/passwd',
    'constructor',
    undefined,
    null,
    2,
    {},
  ])('refuses %j', (name) => {
    expect(codeOf(() => timeZone(name as string))).toBe('SCHED_TIME_ZONE_UNKNOWN');
  });

  it('names the zone that it refuses, and what to write instead', () => {
    try {
      timeZone('Europe/Berln');
      expect.unreachable();
    } catch (error) {
      if (!isSchedError(error)) throw error;
      expect(error.message).toContain('"Europe/Berln"');
      expect(error.message).toContain("'Europe/Berlin'");
      expect(error.details).toEqual({ timeZone: 'Europe/Berln' });
      expect(error.cause).toBeInstanceOf(RangeError);
    }
  });
});
