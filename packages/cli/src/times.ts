import { SchedError } from '@sched/core';

/** Writes moments in one time zone. */
export class Times {
  readonly zone: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #now: number;

  /**
   * @param zone an IANA name. Default: that of this machine
   * @param now what is long ago, and what is soon, is told from here
   * @throws SchedError `SCHED_TIME_ZONE_UNKNOWN`
   */
  constructor(zone: string | undefined, now = Date.now()) {
    this.#now = now;
    try {
      this.#format = new Intl.DateTimeFormat('en-US', {
        ...(zone !== undefined && { timeZone: zone }),
        ...{ year: 'numeric', month: '2-digit', day: '2-digit', weekday: 'short' },
        ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
        timeZoneName: 'longOffset',
      });
    } catch (cause) {
      const message = `The time zone ${zone} is not one that this runtime knows. Use an IANA name such as Europe/Berlin.`;
      throw new SchedError('SCHED_TIME_ZONE_UNKNOWN', message, { cause });
    }
    this.zone = this.#format.resolvedOptions().timeZone;
  }

  #parts(date: Date): Record<string, string> {
    return Object.fromEntries(
      this.#format.formatToParts(date).map((part) => [part.type, part.value]),
    );
  }

  /** `2026-12-24 18:00:00 +01:00` */
  at(date: Date): string {
    const { year, month, day, hour, minute, second } = this.#parts(date);
    return `${year}-${month}-${day} ${hour}:${minute}:${second} ${this.offset(date)}`;
  }

  /** `Thu` */
  weekday(date: Date): string {
    return this.#parts(date).weekday ?? '';
  }

  /** `+01:00` */
  offset(date: Date): string {
    return (this.#parts(date).timeZoneName ?? '').replace('GMT', '') || '+00:00';
  }

  /** `in 5m`, `3h ago`, `now` */
  from(date: Date): string {
    const ms = date.getTime() - this.#now;
    if (Math.abs(ms) < 1000) return 'now';
    return ms > 0 ? `in ${roughLength(ms)}` : `${roughLength(-ms)} ago`;
  }

  /** Both. */
  both(date: Date | null): string | null {
    return date && `${this.at(date)} (${this.from(date)})`;
  }
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

/** A length of time: `1d12h`, `1h30m15s`. */
export function length(ms: number): string {
  return parts(ms).join('') || '0s';
}

/**
 * A length of time in its largest unit and, if it is short of ten of these, the next, rounded: `12d`, `1h30m`. A second
 * is not divided.
 */
export function roughLength(ms: number): string {
  const sizes = units.map(([, size]) => size).filter((size) => size >= 1000 || ms < 1000);
  const largest = sizes.find((size) => ms >= size) ?? 1;
  const next = sizes[sizes.indexOf(largest) + 1];
  const finest = next !== undefined && ms < 10 * largest ? next : largest;
  return length(Math.round(ms / finest) * finest);
}

function parts(ms: number): string[] {
  let rest = Math.floor(ms);
  return units.flatMap(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count > 0 ? [`${count}${unit}`] : [];
  });
}
