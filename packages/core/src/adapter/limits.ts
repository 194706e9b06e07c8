/** What a database takes, checked before anything is stored. */

import type { NewTaskRecord, Settlement, TaskFilter } from '../data-store.js';
import { SchedError } from '../errors.js';
import type { TaskChange } from './calls.js';

export interface StoreLimits {
  /** The most tasks or leases that one call names. Default: any number. */
  readonly maxItems?: number;
  /** The most new tasks or settlements of one call. Default: as `maxItems`. */
  readonly maxWrites?: number;
  /** The most that several items of one call have together, as `sizeOf` measures it. Default: any amount. */
  readonly maxSize?: number;
  /** The size of an item with these texts. Default: the length of its bodies. */
  sizeOf?(item: Sized): number;
  /** The error for a single item that is over `maxSize`. Default: it is sent, in a call of its own. */
  refuse?(size: number): SchedError;
  /** The most bytes of one body. Default: any number. */
  readonly maxBodyBytes?: number;
  /** The most bytes of all bodies of one settlement. Default: any number. */
  readonly maxSettlementBytes?: number;
  /** The most bytes of every other text. Default: any number. */
  readonly maxTextBytes?: number;
  /**
   * Which texts would come back as others: those that hold half of a surrogate pair, or also those with a character 0.
   * Default: none, or the database refuses them itself.
   */
  readonly unstorable?: 'loneSurrogates' | 'loneSurrogatesAndNul';
  /** Whether calls that only name tasks by such a text find none. Default: they are refused as well. */
  readonly findsNone?: boolean;
}

/** The texts of an item: the ids of tasks that it is about, other texts to be stored, and JSON texts. */
export interface Sized {
  readonly ids: readonly string[];
  readonly texts: readonly (string | null | undefined)[];
  readonly bodies: readonly string[];
}

export function textsOfRecord({ id, name, queue, group, body }: NewTaskRecord): Sized {
  return { ids: [], texts: [id, name, queue, group], bodies: [body] };
}

export function textsOfChange(id: string, { name, queue, group, body }: TaskChange): Sized {
  return { ids: [id], texts: [name, queue, group], bodies: body === undefined ? [] : [body] };
}

export function textsOfSettlement({ id, next, history, spawn }: Settlement): Sized {
  const texts: (string | null)[] = [];
  const bodies = next ? [next.body] : [];
  for (const entry of history) {
    texts.push(entry.taskId, entry.id);
    bodies.push(entry.body);
  }
  for (const record of spawn) {
    texts.push(record.id, record.name, record.queue, record.group);
    bodies.push(record.body);
  }
  return { ids: [id], texts, bodies };
}

export function textsOfFilter({ group, name, queue, status }: TaskFilter): Sized['texts'] {
  return [group, name, queue, status];
}

/** How large an item is, to be compared with `maxSize`. */
export function sizeOf(limits: StoreLimits, item: Sized): number {
  if (limits.sizeOf) return limits.sizeOf(item);
  return item.bodies.reduce((sum, body) => sum + body.length, 0);
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` for a text that cannot be stored as it is */
export function checkTexts(limits: StoreLimits, texts: Sized['texts']): void {
  const { unstorable, maxTextBytes = Number.POSITIVE_INFINITY } = limits;
  if (!unstorable) return;
  for (const text of texts) {
    if (text === null || text === undefined) continue;
    checkText(text, unstorable);
    if (isLonger(text, maxTextBytes)) {
      throw unstorableText(`has ${bytesOf(text)} bytes, and may have ${maxTextBytes}`);
    }
  }
}

/** @throws SchedError `SCHED_ARGUMENT_INVALID` for what cannot be an id, unless such a task is just not there */
export function checkIds(limits: StoreLimits, ids: readonly string[]): void {
  if (!limits.findsNone) checkTexts(limits, ids);
}

/** @throws SchedError `SCHED_PAYLOAD_TOO_LARGE` or `SCHED_ARGUMENT_INVALID` for what cannot be stored as it is */
export function checkItem(limits: StoreLimits, { ids, texts, bodies }: Sized): void {
  checkIds(limits, ids);
  checkTexts(limits, texts);
  const { unstorable, maxBodyBytes = Number.POSITIVE_INFINITY } = limits;
  const { maxSettlementBytes = Number.POSITIVE_INFINITY } = limits;
  for (const body of bodies) {
    if (unstorable) checkText(body, unstorable);
    if (isLonger(body, maxBodyBytes)) {
      throw tooLarge(`A body of ${bytesOf(body)} bytes is over the limit of ${maxBodyBytes}.`);
    }
  }
  const length = bodies.reduce((sum, body) => sum + body.length, 0);
  if (length * maxUnitBytes <= maxSettlementBytes) return;
  const bytes = bodies.reduce((sum, body) => sum + bytesOf(body), 0);
  if (bytes <= maxSettlementBytes) return;
  throw tooLarge(
    `The bodies of one settlement have ${bytes} bytes, over the limit of ${maxSettlementBytes}.`,
  );
}

function checkText(text: string, unstorable: StoreLimits['unstorable']): void {
  if (typeof text !== 'string') throw unstorableText(`is no text but ${typeof text}`);
  if (!text.isWellFormed()) throw unstorableText('holds half of a surrogate pair');
  if (unstorable === 'loneSurrogatesAndNul' && text.includes('\0')) {
    throw unstorableText('holds a character 0');
  }
}

/** No character takes more bytes a unit, so that most texts need not be counted. */
const maxUnitBytes = 3;

function isLonger(text: string, maxBytes: number): boolean {
  return text.length * maxUnitBytes > maxBytes && bytesOf(text) > maxBytes;
}

const encoder = /* @__PURE__ */ new TextEncoder();

function bytesOf(text: string): number {
  return encoder.encode(text).length;
}

function tooLarge(message: string): SchedError {
  return new SchedError('SCHED_PAYLOAD_TOO_LARGE', message);
}

function unstorableText(problem: string): SchedError {
  return new SchedError('SCHED_ARGUMENT_INVALID', `A text cannot be stored: it ${problem}.`);
}
