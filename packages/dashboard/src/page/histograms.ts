/** What workers say in numbers, added up. */

import type { Histogram, MinuteCounts, Worker } from './types.js';

export const counted = ['succeeded', 'failed', 'retried', 'interrupted', 'skipped'] as const;
export type Counted = (typeof counted)[number];

export function sumHistograms(histograms: readonly Histogram[]): Histogram | undefined {
  const [first] = histograms;
  if (!first) return undefined;
  const alike = histograms.filter(({ bounds }) => `${bounds}` === `${first.bounds}`);
  return {
    bounds: first.bounds,
    counts: first.counts.map((_, index) =>
      alike.reduce((sum, { counts }) => sum + (counts[index] ?? 0), 0),
    ),
  };
}

/**
 * The bound that a share of all values does not exceed, in milliseconds.
 *
 * @returns undefined where there are no values; infinity where it is more than the last bound
 */
export function quantile({ bounds, counts }: Histogram, share: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let seen = 0;
  for (const [index, count] of counts.entries()) {
    seen += count;
    if (seen >= share * total) return bounds[index] ?? Number.POSITIVE_INFINITY;
  }
  return Number.POSITIVE_INFINITY;
}

export interface Minute extends Record<Counted, number> {
  /** Epoch milliseconds. */
  readonly at: number;
}

/** What workers have said while the page is open, by store, worker and minute: they themselves forget soon. */
const remembered = new Map<string, MinuteCounts>();
const rememberedMs = 3_600_000;

/** Keeps what workers say of single minutes. */
export function remember(store: string | null, workers: readonly Worker[], now: number): void {
  for (const { owner, minutes } of workers) {
    for (const each of minutes) remembered.set(`${store} ${owner} ${each.minute}`, each);
  }
  for (const [key, { minute }] of remembered) {
    if (Date.parse(minute) < now - rememberedMs) remembered.delete(key);
  }
}

/** What was kept, of a store. */
export function allRemembered(store: string | null): readonly MinuteCounts[] {
  const start = `${store} `;
  return [...remembered].flatMap(([key, counts]) => (key.startsWith(start) ? [counts] : []));
}

/** What ended in each of the last minutes, the earliest first. */
export function perMinute(counts: readonly MinuteCounts[], now: number, minutes: number): Minute[] {
  const last = Math.floor(now / 60_000) * 60_000;
  const sums = Array.from({ length: minutes }, (_, index) => ({
    ...{ at: last - (minutes - 1 - index) * 60_000 },
    ...{ succeeded: 0, failed: 0, retried: 0, interrupted: 0, skipped: 0 },
  }));
  const byTime = new Map(sums.map((minute) => [minute.at, minute]));
  for (const each of counts) {
    const sum = byTime.get(Date.parse(each.minute));
    if (sum) for (const name of counted) sum[name] += each[name];
  }
  return sums;
}

export function totals(minutes: readonly Minute[]): Record<Counted, number> {
  const sum = { succeeded: 0, failed: 0, retried: 0, interrupted: 0, skipped: 0 };
  for (const minute of minutes) for (const name of counted) sum[name] += minute[name];
  return sum;
}

/** After how long a worker that says nothing is most likely gone: one that has no news says so every minute. */
const silentMs = 90_000;

export function isGone({ seenAt }: Worker, now: number): boolean {
  return now - Date.parse(seenAt) > silentMs;
}
