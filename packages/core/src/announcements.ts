/**
 * What schedulers say about themselves, so that others see who is there.
 *
 * Each has a record of its own in the store, in a group that no task can have. It is finished, so that no worker looks at
 * it, and the calls of users leave it out.
 */

import type { NewTaskRecord, TaskRecord } from './data-store.js';

/** The group of announcements. */
export const announcementGroup = 'sched:schedulers';

/** After how long without news a scheduler counts as gone, in milliseconds. */
export const goneAfterMs = 180_000;

/** What has ended within a minute. */
export interface MinuteCounts {
  /** Its start, by the store's clock. */
  readonly minute: Date;
  readonly succeeded: number;
  readonly failed: number;
  readonly retried: number;
  readonly interrupted: number;
  /** Occurrences that did not run. */
  readonly skipped: number;
}

/** How often something took so long. */
export interface LatencyHistogram {
  /** Upper bounds in milliseconds, each inclusive. */
  readonly bounds: readonly number[];
  /** One more than there are bounds: the last is of what took longer than all of them. */
  readonly counts: readonly number[];
}

/** A scheduler that has been started on a store, as it said last. */
export interface WorkerInfo {
  readonly owner: string;
  readonly host: string | null;
  readonly pid: number | null;
  /** When it was started, and when it last said something, by the store's clock. */
  readonly startedAt: Date;
  readonly seenAt: Date;
  /** The task definitions that it has handlers for. */
  readonly tasks: readonly string[];
  readonly queues: readonly string[];
  readonly concurrency: number;
  /** Handlers at work, tasks claimed ahead, and outcomes that the store has not confirmed yet. */
  readonly running: number;
  readonly waiting: number;
  readonly settling: number;
  /** Of the last ten minutes in which anything ended, the latest first. */
  readonly minutes: readonly MinuteCounts[];
  /** How much later than due handlers were called, and how long they took, since it was started. */
  readonly lateness: LatencyHistogram;
  readonly duration: LatencyHistogram;
}

/** As it is stored: moments are epoch milliseconds. */
export interface Announcement
  extends Omit<WorkerInfo, 'owner' | 'startedAt' | 'seenAt' | 'minutes'> {
  readonly v: 1;
  readonly startedAt: number;
  readonly seenAt: number;
  readonly minutes: readonly (Omit<MinuteCounts, 'minute'> & { readonly minute: number })[];
}

const idPrefix = 'sched:scheduler:';

export function announcementId(owner: string): string {
  return `${idPrefix}${owner}`;
}

export function announcementRecord(owner: string, announcement: Announcement): NewTaskRecord {
  return {
    ...{ id: announcementId(owner), name: 'sched:scheduler', queue: announcementGroup },
    ...{ group: announcementGroup, status: 'finished', paused: false, runAt: null },
    body: JSON.stringify(announcement),
  };
}

export function isAnnouncement({ group }: Pick<TaskRecord, 'group'>): boolean {
  return group === announcementGroup;
}

/** What a record says; undefined if a newer version wrote it, or it is no announcement. */
export function readAnnouncement({ id, body }: TaskRecord): WorkerInfo | undefined {
  try {
    const { v, startedAt, seenAt, minutes, ...rest }: Announcement = JSON.parse(body);
    if (v !== 1 || !id.startsWith(idPrefix)) return undefined;
    return {
      ...{ ...rest, owner: id.slice(idPrefix.length) },
      ...{ startedAt: new Date(startedAt), seenAt: new Date(seenAt) },
      minutes: minutes.map((each) => ({ ...each, minute: new Date(each.minute) })),
    };
  } catch {
    return undefined;
  }
}
