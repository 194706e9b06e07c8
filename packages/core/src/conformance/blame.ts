import { isDeepStrictEqual } from 'node:util';
import type { TaskRecord } from '../data-store.js';
import type { Guarantee } from './types.js';

/** What a random sequence consists of: the calls of a store, and steps of the clock. */
export type Call =
  | 'advance'
  | 'insert'
  | 'update'
  | 'remove'
  | 'setPaused'
  | 'claim'
  | 'extend'
  | 'release'
  | 'settle'
  | 'list'
  | 'history';

/** What the contract says of the answer of each call. */
export const answerSentences: Readonly<Record<Call, string>> = {
  advance: 'now is always the clock of the store',
  insert: '`exists` for an id that exists, in whatever state, `inserted` for any other',
  update: '`missing` for no such task, `conflict` for another revision, otherwise `updated`',
  remove: 'how many tasks this call deleted, each once, whatever ids are unknown',
  setPaused: 'how many tasks changed: one that is already as asked is not touched',
  claim: 'the first `limit` due tasks, by queue and then by wakeAt',
  extend: 'the revision for the token of the current lease, live or run out, otherwise `lost`',
  release: '`released` for the token of the current lease, live or run out, otherwise `lost`',
  settle:
    '`settled` for the token of the last settlement, `lost` for any but that of the lease, `conflict` for another revision, otherwise `settled`',
  list: 'the tasks that match every given member of the filter, each once',
  history: 'newest first by `at`, and of equal `at` the latest added first',
};

/** What the contract says of the records that each call leaves behind. */
export const recordSentences: Readonly<Record<Call, string>> = {
  advance: 'time alone changes no record',
  insert:
    'a record is stored as given, with a fresh revision, no lease, no deliveries and never resumed; one that exists is left untouched',
  update:
    'every member present in `change` replaces the stored one, the revision changes, and a lease stays; or nothing changes',
  remove: 'it deletes the tasks that are selected, leased ones too, and no others',
  setPaused: 'this is a flag beside the schedule: the revision, `runAt` and the lease stay',
  claim: 'it has a lease and one delivery more; nothing else changes',
  extend: 'its lease lasts until `now + leaseMs`, or nothing changes',
  release:
    'the lease ends, `deliveries` falls by one, an earlier `runAt` becomes `deferUntil`, and the revision stays; or nothing changes',
  settle: 'each settlement is applied as a whole or not at all, and its items in their order',
  list: 'to list and to count changes no record',
  history: 'to read changes no record',
};

const ofAnswers: Readonly<Record<Call, Guarantee>> = {
  advance: 'G4',
  insert: 'G1',
  update: 'G6',
  remove: 'G6',
  setPaused: 'G6',
  claim: 'G5',
  extend: 'G2',
  release: 'G2',
  settle: 'G1',
  list: 'G1',
  history: 'G5',
};

/** The guarantee that is broken when an answer, or the one for an item, is not the expected one. */
export function guaranteeOfAnswer(call: Call, expected: unknown): Guarantee {
  if (call !== 'settle') return ofAnswers[call];
  if (expected === 'lost') return 'G2';
  return expected === 'conflict' ? 'G6' : 'G1';
}

/** The guarantee that is broken when a record is not the expected one. */
export function guaranteeOfRecord(
  call: Call,
  stored: TaskRecord | undefined,
  expected: TaskRecord | undefined,
): Guarantee {
  if (!stored) return 'G1';
  if (!expected) return 'G6';
  const differs = (...members: (keyof TaskRecord)[]) =>
    members.some((member) => !isDeepStrictEqual(stored[member], expected[member]));
  if (differs('lease')) return 'G2';
  if (differs('deliveries')) return 'G3';
  if (differs('paused', 'resumedAt', 'revision')) return 'G6';
  if (differs('name', 'queue', 'group', 'status', 'runAt', 'body')) {
    return call === 'update' ? 'G6' : 'G1';
  }
  const isEarly =
    stored.wakeAt !== null && (expected.wakeAt === null || stored.wakeAt < expected.wakeAt);
  return isEarly ? 'G4' : 'G5';
}
